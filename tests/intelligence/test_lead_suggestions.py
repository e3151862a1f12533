"""What would help open leads, until it is done or somebody decides otherwise."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from apps.activities.services.activities import complete_activity
from apps.core.actors import become
from apps.core.errors import NotAllowed, NotFound
from apps.core.models import BusinessEvent
from apps.core.rows.listing import Query
from apps.intelligence.fields import SUGGESTIONS
from apps.intelligence.models import Suggestion
from apps.intelligence.selectors.suggestions import forget_typical_sale, outcomes
from apps.intelligence.services.lead_suggestions import suggest_about_leads
from apps.intelligence.services.suggestions import accept_suggestion, dismiss_suggestion
from apps.intelligence.tasks import suggest_about_open_deals, suggest_about_waiting_leads
from apps.leads.models import Lead
from apps.leads.services.assignment import assign_lead
from apps.leads.services.lifecycle import delete_lead, move_lead
from apps.leads.services.merging import merge_leads, undo_merge
from apps.opportunities.services.conversion import convert_lead
from apps.privacy.selectors import Subject
from apps.privacy.services.erasures import erase_person
from apps.users.models import Role
from tests.factories.activities import make_activity
from tests.factories.intelligence import ended_leads
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import default_pipeline, make_deal
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory

NOW = timezone.now()


@pytest.fixture(autouse=True)
def pipeline(db):
    """The default pipeline, for leads that are converted."""
    return default_pipeline()


@pytest.fixture
def look(deliver_events):
    """Everybody hears what happened, and the clock looks; what is suggested about a lead then."""

    def found(lead, *, later=timedelta()):
        deliver_events()
        with time_machine.travel(NOW + later):
            suggest_about_waiting_leads()
        return {one.key: one for one in Suggestion.objects.filter(lead=lead).undecided()}

    return found


def lead_of(owner, *, days=0, **facts):
    facts = {"owner": owner, "score": 80, "company": "Acme", "last_name": "Lovelace", **facts}
    lead = LeadFactory(**facts)
    Lead.objects.filter(pk=lead.pk).update(created_at=NOW - timedelta(days=days))
    return Lead.objects.get(pk=lead.pk)


def endings(lead):
    rows = Suggestion.objects.filter(lead=lead).exclude(ended_at=None)
    return {one.key: one.ended_as for one in rows}


def test_a_good_lead_waits_no_longer_than_a_day_for_an_answer(look, rep):
    lead, poor = lead_of(rep), lead_of(rep, score=59)
    assert look(lead, later=timedelta(hours=23)) == {}
    found = look(lead, later=timedelta(hours=25))
    assert list(found) == ["answer"]
    day = f"{NOW.day} {NOW:%B %Y}"
    assert found["answer"].reason == f"Its score is 80, and nobody answered since {day}."
    assert look(poor, later=timedelta(days=9)) == {}
    make_activity(by=rep, lead_id=lead.pk)
    assert look(lead, later=timedelta(days=2)) == {}
    assert endings(lead) == {"answer": "done"}


def test_what_comes_in_answers_no_lead(look, rep):
    lead = lead_of(rep, days=2)
    for direction in ("inbound", "inbound", "outbound"):
        assert list(look(lead)) == ["answer"]
        make_activity(by=rep, lead_id=lead.pk, type="email", direction=direction)
    assert look(lead) == {}
    assert endings(lead) == {"answer": "done"}


def test_a_qualified_lead_is_to_be_converted_within_a_week_of_that(look, rep, acting):
    lead = lead_of(rep, days=60)
    with time_machine.travel(NOW - timedelta(days=3)):
        move_lead(lead_id=lead.pk, status="qualified", actor=acting(rep))
    BusinessEvent.objects.filter(name="lead.qualified").update(occurred_at=NOW - timedelta(days=3))
    assert look(lead, later=timedelta(days=3)) == {}
    assert list(look(lead, later=timedelta(days=4, hours=1))) == ["convert"]
    convert_lead(lead_id=lead.pk, opportunity_name="A sale", actor=acting(rep))
    assert look(lead) == {}
    assert endings(lead) == {"convert": "converted"}


def test_one_that_came_in_qualified_counts_from_then(look, rep):
    lead = lead_of(rep, days=8, status="qualified")
    assert list(look(lead)) == ["convert"]


def test_a_contacted_lead_gone_quiet_is_to_be_followed_up_unless_something_is_planned(look, rep):
    lead = lead_of(rep, days=40, status="contacted")
    make_activity(by=rep, lead_id=lead.pk, completed_at=NOW - timedelta(days=15))
    assert list(look(lead)) == ["follow_up"]
    make_activity(by=rep, lead_id=lead.pk, scheduled_at=NOW + timedelta(days=3))
    assert look(lead) == {}
    assert endings(lead) == {"follow_up": "done"}
    assert list(look(lead, later=timedelta(days=4))) == ["follow_up"]


def test_a_good_lead_nobody_owns_is_to_be_given_to_somebody_by_whoever_may(
    look, rep, manager, acting, system
):
    lead = lead_of(None)
    assert list(look(lead, later=timedelta(days=3))) == ["assign"]
    row = Suggestion.objects.get(lead=lead)
    assert not Suggestion.objects.visible_to(acting(rep)).exists()
    with pytest.raises(NotFound):
        accept_suggestion(suggestion_id=row.pk, actor=acting(rep))
    accept_suggestion(suggestion_id=row.pk, actor=acting(manager))
    assign_lead(lead_id=lead.pk, owner_id=rep.pk, actor=system)
    look(lead)
    assert endings(lead) == {"assign": "done"}


def test_a_lead_that_is_given_up_deleted_or_folded_into_another_needs_nothing(
    look, rep, acting, system
):
    for_ever = [lead_of(rep, days=20) for _ in range(3)]
    given_up, deleted, folded = for_ever
    assert all(look(one) for one in for_ever)
    move_lead(lead_id=given_up.pk, status="unqualified", reason="No", actor=acting(rep))
    delete_lead(lead_id=deleted.pk, actor=system)
    merge = merge_leads(
        survivor_id=lead_of(rep).pk, duplicate_ids=[folded.pk], values={}, actor=system
    )
    assert [look(one) for one in for_ever] == [{}, {}, {}]
    assert [endings(one)["answer"] for one in for_ever] == ["given_up", "deleted", "done"]
    undo_merge(merge_id=merge.pk, actor=system)
    assert list(look(folded)) == ["answer"]


def test_what_was_done_about_one_folded_into_a_lead_counts_as_done_about_it(
    look, rep, system, deliver_events
):
    lead, planned, first, second = (lead_of(rep, days=20) for _ in range(4))
    make_activity(by=rep, lead_id=second.pk)
    task = make_activity(by=rep, lead_id=planned.pk, type="task", scheduled_at=NOW)
    assert [list(look(one)) for one in (lead, planned, first)] == [["answer"]] * 3
    for survivor, duplicate in ((first, second), (lead, first)):
        merge_leads(survivor_id=survivor.pk, duplicate_ids=[duplicate.pk], values={}, actor=system)
    assert look(lead) == {}
    other = lead_of(rep, days=20)
    merge_leads(survivor_id=other.pk, duplicate_ids=[planned.pk], values={}, actor=system)
    assert list(look(other)) == ["answer"]
    complete_activity(activity_id=task.pk, actor=system)
    deliver_events()
    assert endings(other) == {"answer": "done"}


def test_the_night_ends_what_is_suggested_about_leads_and_deals_that_are_over_untold(
    look, rep, admin, acting, system
):
    erased, converted = (lead_of(rep, days=20) for _ in range(2))
    deal = make_deal(owner=rep, stage="closed_lost")
    assert [list(look(one)) for one in (erased, converted)] == [["answer"]] * 2
    about_deal = Suggestion.objects.create(
        opportunity=deal, key="contact", sentence="Get in touch.", gain=8, made_at=NOW
    )
    subject = Subject(kind="leads", row_id=erased.pk)
    erase_person(subject=subject, reason="asked", actor=acting(admin))
    Lead.objects.filter(pk=converted.pk).update(
        status="converted", converted_opportunity_id=deal.pk
    )
    suggest_about_waiting_leads()
    suggest_about_open_deals()
    assert not Suggestion.objects.standing().exists()
    assert [endings(one) for one in (erased, converted)] == [
        {"answer": "given_up"},
        {"answer": "converted"},
    ]
    about_deal.refresh_from_db()
    assert about_deal.ended_as == "lost"


def test_its_worth_is_what_sales_usually_come_to_and_unknown_before_there_were_enough(
    look, rep, system
):
    lead = lead_of(rep, days=2)
    assert look(lead)["answer"].value is None
    ended_leads(10)
    Lead.objects.exclude(pk=lead.pk).update(status="unqualified", converted_opportunity_id=None)
    converted = Lead.objects.exclude(pk=lead.pk).values_list("pk", flat=True)[:4]
    Lead.objects.filter(pk__in=list(converted)).update(
        status="converted", converted_opportunity_id=lead.pk
    )
    for number in range(5):
        make_deal(owner=rep, stage="closed_won", amount=Decimal(10_000 + number))
        make_deal(owner=rep, stage="closed_lost")
    forget_typical_sale()
    # 40 % are converted, 50 % of deals won, 10,002 each: 2,000; ten points of it.
    assert look(lead)["answer"].value == Decimal("200.00")
    Lead.objects.filter(pk=lead.pk).update(score=90, score_source="model")
    assert look(lead)["answer"].value == Decimal("450.00")
    changed = suggest_about_leads(ids=[lead.pk], actor=system)
    assert changed == 0


def test_only_whoever_sees_and_works_the_lead_decides(look, rep, outsider, acting):
    territory = TerritoryFactory()
    row = look(lead_of(rep, days=3, territory=territory))["answer"]
    with pytest.raises(NotFound):
        accept_suggestion(suggestion_id=row.pk, actor=acting(outsider))
    reader = UserFactory(role=Role.READ_ONLY)
    TerritoryMemberFactory(territory=territory, user=reader)
    with pytest.raises(NotAllowed):
        dismiss_suggestion(suggestion_id=row.pk, actor=acting(reader))
    row.refresh_from_db()
    assert row.decision == ""
    dismiss_suggestion(suggestion_id=row.pk, because="No budget", actor=acting(rep))
    told = BusinessEvent.objects.get(name="lead.suggestion_dismissed")
    assert (told.aggregate_id, told.payload["key"]) == (row.lead_id, "answer")


def test_what_was_decided_comes_again_when_it_was_not_done(look, rep, acting):
    lead = lead_of(rep, days=3)
    accept_suggestion(suggestion_id=look(lead)["answer"].pk, actor=acting(rep))
    assert look(lead, later=timedelta(days=13)) == {}
    assert list(look(lead, later=timedelta(days=15))) == ["answer"]
    assert endings(lead) == {"answer": "lapsed"}


def test_a_suggestion_is_about_one_thing(look, rep):
    row = look(lead_of(rep, days=3))["answer"]
    for about in ({"lead": None}, {"opportunity": make_deal(owner=rep)}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Suggestion.objects.filter(pk=row.pk).update(**about)


def rows_in_vain(plan):
    """How many suggestions were looked at and left out."""
    below = sum(rows_in_vain(one) for one in plan.get("Plans", ()))
    is_of_them = plan.get("Relation Name") == Suggestion._meta.db_table
    return below + (plan.get("Rows Removed by Filter", 0) if is_of_them else 0)


@pytest.mark.parametrize("door", ["back office", "list"])
def test_nobody_s_list_walks_through_the_suggestions_of_others(look, rep, outsider, acting, door):
    for owner in [rep, *[outsider] * 20]:
        lead = lead_of(owner, days=3)
        make_deal(owner=owner)
    look(lead)
    assert Suggestion.objects.standing().filter(lead__owner=outsider).count() == 20
    actor = acting(rep)
    seen = SUGGESTIONS.scope.condition(actor)
    asked = (
        Suggestion.objects.visible_to(actor).query.sql_with_params()
        if door == "back office"
        else (f"SELECT FROM intelligence_suggestion t WHERE {seen.sql}", seen.parameters)
    )
    with connection.cursor() as cursor:
        # Of a table as small as this the planner would read all.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {asked[0]}", asked[1])
        [(plan,)] = cursor.fetchall()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    assert plan[0]["Plan"]["Actual Rows"] > 0
    assert rows_in_vain(plan[0]["Plan"]) == 0


@pytest.mark.parametrize(
    ("narrowed", "index"),
    [
        ("t.ended_at IS NULL AND t.decision = ''", "suggestion_worth_most"),
        ("TRUE", "suggestion_by_worth"),
    ],
)
def test_suggestions_are_listed_by_an_index_that_holds_what_they_are_worth(db, narrowed, index):
    order = next(one for one in SUGGESTIONS.orderings if one.name == "value")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            f"EXPLAIN SELECT t.id FROM intelligence_suggestion t WHERE {narrowed} "
            f"ORDER BY {order.expression} DESC, t.id DESC LIMIT 5"
        )
        plan = " ".join(line for (line,) in cursor.fetchall())
    assert index in plan
    assert "Sort" not in plan


def test_what_somebody_owns_is_found_from_it(look, api, admin, rep, outsider):
    deal, lead = make_deal(owner=rep), lead_of(rep, days=3)
    make_deal(owner=outsider)
    look(lead)
    Suggestion.objects.filter(opportunity=deal).update(ended_at=NOW, ended_as="done")
    listed = api(admin).call("GET", f"/intelligence/suggestions?owner_id={rep.pk}").json()["data"]
    found = {(one["opportunity_id"], one["lead_id"]) for one in listed}
    assert found == {(str(deal.pk), None), (None, str(lead.pk))}


# --- Doors --------------------------------------------------------------------------------------


def test_rest_lists_them_beside_those_about_deals_and_tells_outcomes(look, api, rep, outsider):
    lead = lead_of(rep, days=3)
    look(lead)
    client = api(rep)
    for address in (
        "/intelligence/suggestions?is_open=true",
        f"/intelligence/suggestions?lead_id={lead.pk}",
        f"/intelligence/suggestions?owner_id={rep.pk}",
        f"/leads/{lead.pk}/suggestions",
    ):
        (row,) = client.call("GET", address).json()["data"]
        assert (row["lead_id"], row["lead_company"], row["opportunity_id"], row["key"]) == (
            str(lead.pk),
            "Acme",
            None,
            "answer",
        )
    accepted = client.call("POST", f"/intelligence/suggestions/{row['id']}/accept", {}).json()
    assert (accepted["lead_id"], accepted["opportunity_id"]) == (str(lead.pk), None)
    make_activity(by=rep, lead_id=lead.pk)
    look(lead)
    (outcome,) = client.call("GET", "/intelligence/suggestions/outcomes").json()["outcomes"]
    assert (outcome["key"], outcome["count"], outcome["done"]["value"]) == ("answer", 1, 1.0)
    assert outcome["won"] is None
    Lead.objects.filter(pk=lead.pk).update(status="converted", converted_opportunity_id=lead.pk)
    (outcome,) = client.call("GET", "/intelligence/suggestions/outcomes").json()["outcomes"]
    assert outcome["won"]["value"] == 1.0
    elsewhere = api(outsider)
    assert elsewhere.call("GET", "/intelligence/suggestions").json()["data"] == []
    assert elsewhere.call("GET", f"/leads/{lead.pk}/suggestions").status_code == 404
    assert elsewhere.call("GET", "/intelligence/suggestions/outcomes").json()["outcomes"] == []


def test_whoever_may_not_see_leads_is_told_of_deals_alone(look, rep):
    lead, deal = lead_of(rep, days=3), make_deal(owner=rep)
    row = look(lead)["answer"]
    actor = become(rep.pk, door="test", scopes=["opportunity:read", "opportunity:write"])
    shown = SUGGESTIONS.page(actor, Query()).rows
    assert {one["opportunity_id"] for one in shown} == {str(deal.pk)}
    with pytest.raises(NotFound):
        SUGGESTIONS.one(actor, row.pk)
    with pytest.raises(NotFound):
        accept_suggestion(suggestion_id=row.pk, actor=actor)
    assert outcomes(actor=actor, first=NOW.date(), last=NOW.date()) == []
    actor = become(rep.pk, door="test", scopes=["lead:read", "lead:write"])
    with pytest.raises(NotAllowed, match="opportunity:read"):
        SUGGESTIONS.page(actor, Query())


def test_the_back_office_lists_and_decides_without_naming_the_person(look, client, rep):
    lead = lead_of(rep, days=3, company="Acme Rockets")
    row = look(lead)["answer"]
    client.force_login(rep)
    for address in (
        reverse("admin:index"),
        reverse("admin:intelligence_suggestion_changelist"),
        reverse("admin:intelligence_suggestion_change", args=[row.pk]),
    ):
        page = client.get(address).content.decode()
        assert "Acme Rockets" in page
        assert "Answer it." in page
        assert "Lovelace" not in page
    lead_page = reverse("admin:leads_lead_change", args=[lead.pk])
    assert "Answer it." in client.get(lead_page).content.decode()
    client.post(reverse("admin:intelligence_suggestion_operation_accept", args=[row.pk]))
    row.refresh_from_db()
    assert row.decision == "accepted"
