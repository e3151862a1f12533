"""Leads that become deals."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from django.db import connection

from apps.accounts.models import Account, Contact
from apps.core.errors import Refusal
from apps.core.models import BusinessEvent
from apps.leads.models import Lead
from apps.opportunities.models import Opportunity, OpportunityAssignment
from apps.opportunities.services.conversion import convert_lead
from apps.users.models import Role
from tests.factories.accounts import AccountFactory, ContactFactory
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import default_pipeline, in_days
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory


@pytest.fixture
def body():
    """The source's request (sales-system-integrations, Convert Lead to Opportunity)."""
    return {
        "opportunity_name": "Acme Corp - Enterprise Plan",
        "amount": 120000.00,
        "expected_close_date": in_days(60),
        "stage": "discovery",
    }


@pytest.fixture
def lead(rep):
    return LeadFactory(
        owner=rep,
        status="qualified",
        first_name="John",
        last_name="Doe",
        email="john.doe@acme.io",
        company="Acme Corp",
        title="VP Engineering",
        industry="Technology",
        employee_count=500,
        country="US",
    )


def nothing_happened(lead):
    lead.refresh_from_db()
    assert lead.status != "converted"
    assert Opportunity.objects.count() == 0
    assert Contact.objects.count() == 0


def test_makes_account_contact_and_deal_of_a_lead(api, rep, lead, body):
    answer = api(rep).call("POST", f"/leads/{lead.pk}/convert", body)
    assert answer.status_code == 201, answer.content
    deal = Opportunity.objects.get()
    lead.refresh_from_db()
    assert answer.json() == {
        "opportunity_id": str(deal.pk),
        "lead_id": str(lead.pk),
        "status": "converted",
        "converted_at": lead.converted_at.isoformat().replace("+00:00", "Z"),
    }
    assert (lead.status, lead.converted_opportunity_id) == ("converted", deal.pk)
    account = Account.objects.get()
    assert (account.name, account.domain, account.industry, account.employee_count) == (
        "Acme Corp",
        "acme.io",
        "Technology",
        500,
    )
    assert (account.owner, account.country) == (rep, "US")
    contact = Contact.objects.get()
    assert (contact.account, contact.type, contact.name) == (account, "primary", "John Doe")
    assert contact.email == "john.doe@acme.io"
    assert contact.data_key_id == lead.data_key_id
    assert (lead.converted_account_id, lead.converted_contact_id) == (account.pk, contact.pk)
    assert (deal.name, deal.account, deal.lead, deal.owner) == (
        "Acme Corp - Enterprise Plan",
        account,
        lead,
        rep,
    )
    assert deal.amount == Decimal("120000.00")
    assert OpportunityAssignment.objects.get().cause == "conversion"
    told = BusinessEvent.objects.order_by("sequence").values_list("name", flat=True)
    assert [one for one in told if one.startswith(("opportunity", "lead"))] == [
        "opportunity.created",
        "lead.converted",
    ]


def test_needs_nothing_but_the_lead(api, rep, lead):
    answer = api(rep).call("POST", f"/leads/{lead.pk}/convert", {})
    assert answer.status_code == 201, answer.content
    deal = Opportunity.objects.get()
    assert (deal.name, deal.stage_key) == ("Acme Corp", "discovery")


@pytest.mark.parametrize(
    "known", [{"domain": "acme.io", "name": "ACME Holdings"}, {"name": "acme  corp"}]
)
def test_finds_the_account_by_domain_or_name(api, rep, lead, body, known):
    account = AccountFactory(owner=rep, **known)
    contact = ContactFactory(account=account, email="John.Doe@acme.io", type="billing")
    api(rep).call("POST", f"/leads/{lead.pk}/convert", body)
    assert Opportunity.objects.get().account == account
    assert Account.objects.get() == account
    assert Contact.objects.get() == contact


def test_a_personal_address_names_no_company(api, rep, body):
    AccountFactory(owner=rep, name="Mail house", domain="gmail.com")
    lead = LeadFactory(owner=rep, status="qualified", email="jd@gmail.com", company="Beta Ltd")
    api(rep).call("POST", f"/leads/{lead.pk}/convert", body)
    account = Opportunity.objects.get().account
    assert (account.name, account.domain) == ("Beta Ltd", "")


def test_a_second_conversion_names_the_first_deal(api, rep, lead, body):
    client = api(rep)
    first = client.call("POST", f"/leads/{lead.pk}/convert", body).json()
    again = client.call("POST", f"/leads/{lead.pk}/convert", body)
    assert again.status_code == 409
    error = again.json()["error"]
    assert error["code"] == "CONFLICT"
    assert error["details"] == {
        "reason": "lead_already_converted",
        "opportunity_id": first["opportunity_id"],
    }
    assert Opportunity.objects.count() == 1
    assert BusinessEvent.objects.filter(name="lead.converted").count() == 1


def test_but_not_to_somebody_who_can_not_see_it(api, rep, lead, body):
    territory = TerritoryFactory()
    colleague = UserFactory()
    territory.members.create(user=colleague)
    Lead.objects.filter(pk=lead.pk).update(territory=territory)
    api(rep).call("POST", f"/leads/{lead.pk}/convert", body)
    Opportunity.objects.update(territory=None)
    again = api(colleague).call("POST", f"/leads/{lead.pk}/convert", body)
    assert again.status_code == 409
    assert again.json()["error"]["details"] == {"reason": "lead_already_converted"}


def test_a_repeat_under_the_same_key_is_answered_alike(api, rep, lead, body):
    client = api(rep)
    first = client.call("POST", f"/leads/{lead.pk}/convert", body, idempotency_key="c-1")
    again = client.call("POST", f"/leads/{lead.pk}/convert", body, idempotency_key="c-1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert Opportunity.objects.count() == 1


def test_beginning_a_deal_from_a_lead_converts_it(api, rep, lead):
    account = AccountFactory(owner=rep, name="Chosen Inc")
    answer = api(rep).call(
        "POST",
        "/opportunities",
        {"name": "Big one", "account_id": str(account.pk), "lead_id": str(lead.pk)},
    )
    assert answer.status_code == 201, answer.content
    deal = Opportunity.objects.get()
    lead.refresh_from_db()
    assert (deal.account, deal.lead, lead.status) == (account, lead, "converted")
    assert lead.converted_opportunity_id == deal.pk


def test_the_leads_territory_and_owner_come_along(api, manager, rep, body):
    territory = TerritoryFactory()
    lead = LeadFactory(owner=rep, territory=territory, status="contacted")
    api(manager).call("POST", f"/leads/{lead.pk}/convert", body)
    deal = Opportunity.objects.get()
    assert (deal.owner, deal.territory, deal.account.territory) == (rep, territory, territory)


def test_a_territory_that_was_switched_off_does_not_hold_it_up(api, admin, rep, body):
    territory = TerritoryFactory(is_active=False)
    lead = LeadFactory(owner=rep, territory=territory, status="qualified")
    assert api(admin).call("POST", f"/leads/{lead.pk}/convert", body).status_code == 201
    assert Opportunity.objects.get().account.territory is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"stage": "closed_won"}, "stage"),
        ({"amount": -1}, "amount"),
        ({"expected_close_date": "never"}, "expected_close_date"),
        ({"account_id": "00000000-0000-7000-8000-00000000dead"}, "account_id"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_all_or_nothing(api, rep, lead, body, change, field):
    answer = api(rep).call("POST", f"/leads/{lead.pk}/convert", {**body, **change})
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["error"]["details"]["fields"]
    nothing_happened(lead)
    assert Account.objects.count() == 0


def test_a_lead_that_was_put_aside_is_not_converted(api, rep, body):
    lead = LeadFactory(owner=rep, status="unqualified")
    answer = api(rep).call("POST", f"/leads/{lead.pk}/convert", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["reason"] == "lead_move_not_allowed"
    nothing_happened(lead)


def test_a_lead_without_any_name_needs_a_company_first(api, rep, body):
    lead = LeadFactory(owner=rep, first_name="", last_name="", company="", company_key="")
    answer = api(rep).call("POST", f"/leads/{lead.pk}/convert", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["reason"] == "lead_not_ready"
    nothing_happened(lead)


def test_a_company_that_somebody_else_looks_after_is_not_opened_twice(
    api, rep, outsider, lead, body
):
    AccountFactory(owner=outsider, domain="acme.io")
    answer = api(rep).call("POST", f"/leads/{lead.pk}/convert", body)
    assert answer.status_code == 409
    assert answer.json()["error"]["details"]["reason"] == "duplicate_elsewhere"
    nothing_happened(lead)


def test_a_lead_out_of_reach_does_not_exist(api, outsider, lead, body):
    assert api(outsider).call("POST", f"/leads/{lead.pk}/convert", body).status_code == 404
    nothing_happened(lead)


def test_whoever_only_reads_converts_nothing(api, lead, body):
    territory = TerritoryFactory()
    viewer = UserFactory(role=Role.READ_ONLY)
    territory.members.create(user=viewer)
    Lead.objects.filter(pk=lead.pk).update(territory=territory)
    assert api(viewer).call("POST", f"/leads/{lead.pk}/convert", body).status_code == 403
    nothing_happened(lead)


def _at_once(acts):
    """Run functions in threads; returns what each raised or returned."""
    start, outcomes = threading.Barrier(len(acts)), []

    def run(act):
        start.wait()
        try:
            outcomes.append(act())
        except Refusal as refusal:
            outcomes.append(refusal)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return outcomes


@pytest.mark.django_db(transaction=True)
def test_two_conversions_of_one_lead_at_once_make_one_deal(rep, lead, acting):
    default_pipeline()
    actor = acting(rep)
    outcomes = _at_once([lambda: convert_lead(lead_id=lead.pk, actor=actor)] * 2)
    (refusal,) = [one for one in outcomes if isinstance(one, Refusal)]
    assert refusal.reason == "lead_already_converted"
    assert Opportunity.objects.count() == Account.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_leads_of_one_company_at_once_share_its_account(rep, lead, acting):
    default_pipeline()
    second = LeadFactory(owner=rep, email="jane@acme.io", company="Acme Corp", status="qualified")
    actor = acting(rep)
    outcomes = _at_once(
        [
            lambda: convert_lead(lead_id=lead.pk, actor=actor),
            lambda: convert_lead(lead_id=second.pk, actor=actor),
        ]
    )
    assert [one for one in outcomes if isinstance(one, Refusal)] == []
    assert Opportunity.objects.count() == 2
    assert Account.objects.count() == 1
