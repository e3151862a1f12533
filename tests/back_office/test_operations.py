"""What pages offer goes through the services of every door, with the same refusals."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from apps.core.models import BusinessEvent, Job
from apps.leads.models import Lead, LeadMerge
from apps.opportunities.models import Opportunity
from apps.users.models import User
from tests.back_office.conftest import Office
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import default_pipeline, make_deal
from tests.factories.territories import TerritoryFactory


def operate(client: Client, row: Any, name: str, **answers: Any) -> Any:
    meta = row._meta
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_operation_{name}", args=[row.pk])
    return client.post(address, answers)


def operate_on_many(client: Client, rows: list[Any], name: str, **answers: Any) -> Any:
    meta = rows[0]._meta
    return client.post(
        reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist"),
        {
            "action": f"operation_{name}",
            "index": "0",
            "_selected_action": [str(row.pk) for row in rows],
            **answers,
        },
    )


def told(answer: Any) -> list[tuple[str, str]]:
    """What is shown above the next page, with the reason behind it."""
    return [(str(one), one.extra_tags or "") for one in get_messages(answer.wsgi_request)]


def reasons_on_form(answer: Any) -> dict[str, list[str]]:
    form = answer.context["adminform"].form if "adminform" in answer.context else None
    errors = (form or answer.context["form"]).errors.as_data()
    return {field: [one.code for one in found] for field, found in errors.items()}


def test_moves_a_lead_as_the_api_does(rep: User, office: Office) -> None:
    lead = LeadFactory(owner=rep)

    answer = operate(office(rep), lead, "qualify")

    lead.refresh_from_db()
    assert lead.status == "qualified"
    assert answer["Location"] == reverse("admin:leads_lead_change", args=[lead.pk])
    assert BusinessEvent.objects.filter(aggregate_id=lead.pk, door="back_office").count() == 2
    assert LogEntry.objects.count() == 0


def test_refuses_with_the_api_s_reason_and_changes_nothing(
    rep: User, office: Office, api: Any
) -> None:
    lead = LeadFactory(owner=rep, company="", company_key="")

    by_api = api(rep).call("POST", f"/leads/{lead.pk}/qualify", {})
    by_page = operate(office(rep), lead, "qualify")

    lead.refresh_from_db()
    assert by_api.json()["error"]["details"]["reason"] == "lead_not_ready"
    assert told(by_page) == [("Complete company first.", "lead_not_ready")]
    assert (lead.status, lead.version) == ("new", 1)


def test_an_illegal_move_says_what_would_be_allowed(rep: User, office: Office) -> None:
    lead = LeadFactory(owner=rep, status="qualified")

    answer = operate(office(rep), lead, "contact")

    assert told(answer) == [
        (
            "Invalid lead status transition. Allowed: unqualified.",
            "lead_move_not_allowed",
        )
    ]


def test_asks_for_the_reason_first(rep: User, office: Office) -> None:
    lead = LeadFactory(owner=rep)
    client = office(rep)
    address = reverse("admin:leads_lead_operation_disqualify", args=[lead.pk])

    page = client.get(address)
    dialog = client.get(address, headers={"HX-Request": "true"})
    client.post(address, {"reason": "No budget"})

    lead.refresh_from_db()
    assert b'name="reason"' in page.content
    assert b'id="dialog"' in dialog.content
    assert b"<html" not in dialog.content
    assert (lead.status, lead.status_reason) == ("unqualified", "No budget")


def test_moves_many_leads_and_tells_what_was_refused(rep: User, office: Office) -> None:
    ready = [LeadFactory(owner=rep), LeadFactory(owner=rep)]
    bare = LeadFactory(owner=rep, company="", company_key="")

    answer = operate_on_many(office(rep), [*ready, bare], "qualify")

    assert told(answer) == [
        ("Qualify: 2 done.", ""),
        ("1 refused: Complete company first.", "lead_not_ready"),
    ]
    assert Lead.objects.filter(status="qualified").count() == 2


def test_more_rows_than_can_be_answered_at_once_become_a_job(rep: User, office: Office) -> None:
    LeadFactory.create_batch(201, owner=rep)

    operate_on_many(office(rep), list(Lead.objects.all()[:1]), "contact", select_across="1")

    job = Job.objects.get()
    assert (job.kind, job.total, job.actor_id) == ("leads.bulk_status", 201, rep.pk)


def test_assigns_many_leads_with_one_question(manager: User, rep: User, office: Office) -> None:
    leads = LeadFactory.create_batch(2, owner=manager)
    client = office(manager)

    question = operate_on_many(client, leads, "assign")
    operate_on_many(client, leads, "assign", owner_id=str(rep.pk), reason="Swap", answered="1")

    assert b"2 chosen leads" in question.content
    assert {one.owner_id for one in Lead.objects.all()} == {rep.pk}
    assert leads[0].assignments.get().reason == "Swap"


def test_a_question_that_is_answered_wrongly_is_asked_again(
    manager: User, outsider: User, office: Office
) -> None:
    lead = LeadFactory(owner=manager)

    nothing = operate(office(manager), lead, "assign")
    a_stranger = operate(office(manager), lead, "assign", owner_id=str(outsider.pk))

    lead.refresh_from_db()
    assert reasons_on_form(nothing) == {"__all__": ["nowhere_to_assign"]}
    assert reasons_on_form(a_stranger) == {"__all__": ["invalid_input"]}
    assert lead.owner_id == manager.pk


def test_bins_and_restores(manager: User, office: Office) -> None:
    lead = LeadFactory(owner=manager)
    client = office(manager)
    in_bin = f"{reverse('admin:leads_lead_changelist')}?bin=yes"

    operate(client, lead, "bin")
    assert not Lead.objects.exists()
    assert list(client.get(in_bin).context["cl"].result_list) == [lead]
    assert client.get(reverse("admin:leads_lead_change", args=[lead.pk])).status_code == 200

    operate(client, lead, "restore")
    assert Lead.objects.get() == lead
    assert list(client.get(in_bin).context["cl"].result_list) == []


def test_merges_chosen_leads_and_undoes_it(rep: User, office: Office) -> None:
    survivor, duplicate = LeadFactory.create_batch(2, owner=rep)
    client = office(rep)

    operate_on_many(
        client, [survivor, duplicate], "merge", survivor_id=str(survivor.pk), answered="1"
    )
    assert Lead.objects.unmerged().get() == survivor

    merge = LeadMerge.objects.get()
    operate(client, survivor, "unmerge", merge_id=str(merge.pk))
    assert Lead.objects.unmerged().count() == 2


def test_merges_a_lead_with_those_found_to_be_alike(rep: User, office: Office) -> None:
    lead = LeadFactory(owner=rep, last_name="Doe")
    alike = LeadFactory(owner=rep, last_name="Doe")
    client = office(rep)

    page = client.get(reverse("admin:leads_lead_change", args=[lead.pk]))
    operate(client, lead, "merge", duplicates=[str(alike.pk)], survivor_id=str(lead.pk))

    alike.refresh_from_db()
    assert b"same company and last name" in page.content
    assert alike.merged_into_id == lead.pk


def test_routes_a_lead_anew(manager: User, rep: User, office: Office) -> None:
    territory = TerritoryFactory(countries=["DE"], owner=rep)
    lead = LeadFactory(owner=manager, country="DE")

    operate(office(manager), lead, "route")

    lead.refresh_from_db()
    assert (lead.territory_id, lead.owner_id) == (territory.pk, rep.pk)


def test_converts_a_lead_and_goes_to_the_deal(rep: User, office: Office) -> None:
    default_pipeline()
    lead = LeadFactory(owner=rep)

    answer = operate(office(rep), lead, "convert", opportunity_name="Big one", amount="1200.50")

    deal = Opportunity.objects.get()
    assert (deal.name, str(deal.amount), deal.lead_id) == ("Big one", "1200.50", lead.pk)
    assert answer["Location"] == reverse("admin:opportunities_opportunity_change", args=[deal.pk])


def test_moves_a_deal_and_asks_why_it_is_lost(rep: User, office: Office) -> None:
    deal = make_deal(owner=rep)
    client = office(rep)

    silent = operate(client, deal, "move", stage="closed_lost")
    assert reasons_on_form(silent) == {"loss_reason": ["stage_facts_missing"]}

    operate(client, deal, "move", stage="closed_lost", loss_reason="Price")
    deal.refresh_from_db()
    assert (deal.stage_key, deal.loss_reason) == ("closed_lost", "Price")


def test_moves_many_deals_by_the_rule_of_one(rep: User, office: Office) -> None:
    ahead, behind = make_deal(owner=rep, stage="negotiation"), make_deal(owner=rep)

    answer = operate_on_many(office(rep), [ahead, behind], "move", stage="closed_won", answered="1")

    ahead.refresh_from_db()
    behind.refresh_from_db()
    assert (ahead.stage_key, behind.stage_key) == ("closed_won", "discovery")
    assert [reason for _, reason in told(answer)] == ["", "stage_move_not_allowed"]


def test_a_rep_is_refused_what_managers_may(rep: User, manager: User, office: Office) -> None:
    deal = make_deal(owner=rep, stage="closed_lost")

    refused = operate(office(rep), deal, "reopen")
    assert reasons_on_form(refused) == {"__all__": ["permission_missing"]}

    operate(office(manager), deal, "reopen")
    deal.refresh_from_db()
    assert deal.kind == "open"


def test_read_only_people_are_offered_nothing_and_refused_everything(
    read_only: User, office: Office
) -> None:
    lead = LeadFactory(owner=read_only)
    client = office(read_only)

    page = client.get(reverse("admin:leads_lead_change", args=[lead.pk]))
    refused = operate(client, lead, "contact")
    saved = client.post(page.wsgi_request.path, {"last_name": "Changed", "source": "x"})
    added = client.get(reverse("admin:leads_lead_add"))
    many = operate_on_many(client, [lead], "contact")

    lead.refresh_from_db()
    assert page.context["actions_detail"] == []
    assert told(refused)[0][1] == "permission_missing"
    assert (saved.status_code, added.status_code) == (403, 403)
    assert many.status_code in (200, 302)
    assert (lead.status, lead.version) == ("new", 1)


@pytest.mark.parametrize("page", list(django_admin.site._registry.values()), ids=str)
def test_nothing_is_deleted_by_django_s_own_action(page: Any, admin: User, rf: Any) -> None:
    request = rf.get("/")
    request.user, request.actor = admin, None

    assert "delete_selected" not in getattr(page, "offered", {})
    if hasattr(page, "offered"):
        assert page.has_delete_permission(request) is False


def test_saves_a_lead_by_the_service(rep: User, office: Office) -> None:
    lead = LeadFactory(owner=rep)
    client = office(rep)
    address = reverse("admin:leads_lead_change", args=[lead.pk])

    answer = client.post(
        address, {**filled(client.get(address)), "last_name": "Carroll", "title": "Director"}
    )

    lead.refresh_from_db()
    assert answer.status_code == 302, reasons_on_form(answer)
    assert (lead.last_name, lead.title, lead.version) == ("Carroll", "Director", 2)
    event = BusinessEvent.objects.get(name="lead.updated")
    assert set(event.payload["changed"]) == {"last_name", "title"}


def test_a_lead_that_somebody_else_changed_meanwhile_is_not_overwritten(
    rep: User, office: Office
) -> None:
    lead = LeadFactory(owner=rep)
    client = office(rep)
    address = reverse("admin:leads_lead_change", args=[lead.pk])
    form = filled(client.get(address))
    operate(client, lead, "contact")

    answer = client.post(address, {**form, "last_name": "Late"})

    lead.refresh_from_db()
    assert reasons_on_form(answer) == {"__all__": ["stale_version"]}
    assert lead.last_name != "Late"


def test_a_taken_address_is_told_as_the_api_tells_it(
    rep: User, outsider: User, office: Office
) -> None:
    LeadFactory(owner=outsider, email="taken@acme.example")

    answer = office(rep).post(
        reverse("admin:leads_lead_add"),
        {"source": "web", "email": "Taken@acme.example", "last_name": "Carroll"},
    )

    assert reasons_on_form(answer) == {"__all__": ["duplicate_elsewhere"]}
    assert Lead.objects.count() == 1


def test_wrong_facts_are_told_at_their_fields(rep: User, office: Office) -> None:
    answer = office(rep).post(
        reverse("admin:leads_lead_add"), {"source": "web", "email": "nonsense"}
    )

    assert reasons_on_form(answer) == {"email": ["invalid_input"]}


def filled(page: Any) -> dict[str, Any]:
    """A page's form as the browser would send it back."""
    form = page.context["adminform"].form
    inlines = [one.formset.management_form for one in page.context["inline_admin_formsets"]]
    fields = [field for one in (form, *inlines) for field in one]
    return {one.html_name: "" if one.value() is None else one.value() for one in fields}
