"""The next best action: what would help a deal, until it is done or somebody decides otherwise."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from apps.activities.services.activities import complete_activity
from apps.core.errors import NotAllowed, NotFound
from apps.core.models import BusinessEvent
from apps.intelligence.errors import DecidedOtherwise, SuggestionOver
from apps.intelligence.models import Suggestion
from apps.intelligence.services.suggestions import (
    accept_suggestion,
    dismiss_suggestion,
    suggest,
    suggest_everywhere,
)
from apps.intelligence.tasks import suggest_about_open_deals
from apps.opportunities.services.deals import change_opportunity, delete_opportunity
from apps.opportunities.services.stages import move_opportunity
from apps.users.models import Role
from tests.at_once import outcomes_at_once
from tests.factories.activities import make_activity
from tests.factories.customer_success import make_health, make_ticket
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory

COMPLETE = {
    "amount": Decimal("10000.00"),
    "next_step": "Send the offer",
    "expected_close_date": timezone.localdate() + timedelta(days=30),
    "metadata": {"decision_criteria": ["price"]},
}


@pytest.fixture
def look(deliver_events):
    """Everybody hears what happened; what is suggested about a deal then, the most first."""

    def found(deal):
        deliver_events()
        rows = Suggestion.objects.filter(opportunity=deal).undecided()
        return {one.key: one for one in rows.order_by("-gain", "key")}

    return found


def test_a_deal_of_which_all_is_known_needs_nothing(look, rep):
    assert look(make_deal(owner=rep, **COMPLETE)) == {}


@pytest.mark.parametrize(
    ("facts", "key", "sentence", "reason", "gain"),
    [
        ({"next_step": ""}, "next_step", "Agree on the next step.", "None is agreed.", 6),
        ({"amount": Decimal(0)}, "amount", "Say what it is worth.", "No amount is stated.", 8),
        (
            {"expected_close_date": None},
            "close_date",
            "Agree on the day it closes.",
            "Nobody said when it closes.",
            8,
        ),
        (
            {"expected_close_date": date(2026, 3, 1)},
            "close_date",
            "Close it, or agree on another day.",
            "It should have closed on 1 March 2026.",
            20,
        ),
        (
            {"stage": "qualification", "metadata": {}},
            "decision_criteria",
            "Ask how they decide.",
            "Nobody knows what they decide by.",
            5,
        ),
    ],
)
def test_what_is_missing_is_suggested(look, rep, facts, key, sentence, reason, gain):
    found = look(make_deal(owner=rep, **COMPLETE | facts))
    one = found[key]
    assert (one.sentence, one.reason, one.gain) == (sentence, reason, gain)
    assert one.value == (Decimal(0) if key == "amount" else Decimal(100) * gain)


def test_a_deal_nobody_is_in_touch_about_is_suggested_until_somebody_is(look, rep, system, clock):
    with time_machine.travel(clock):
        deal = make_deal(owner=rep, **COMPLETE)
        assert look(deal) == {}
    with time_machine.travel(clock + timedelta(days=15)):
        suggest_about_open_deals()
        assert look(deal)["contact"].reason == (
            f"Nobody was in touch since {clock.day} {clock:%B %Y}, and nothing is planned."
        )
        planned = make_activity(
            by=rep, opportunity_id=deal.pk, scheduled_at=timezone.now() + timedelta(days=1)
        )
        assert "contact" not in look(deal)
        complete_activity(activity_id=planned.pk, actor=system)
        assert "contact" not in look(deal)
    assert Suggestion.objects.get(key="contact").ended_as == "done"


@pytest.fixture
def clock():
    """Two months ago, at noon."""
    return timezone.now().replace(hour=12) - timedelta(days=60)


def test_what_is_done_ends_and_is_never_said_twice(look, rep, system):
    deal = make_deal(owner=rep, **COMPLETE | {"next_step": ""})
    [first] = look(deal).values()
    assert suggest(ids=[deal.pk], actor=system) == 0
    change_opportunity(opportunity_id=deal.pk, next_step="Call", actor=system)
    assert look(deal) == {}
    first.refresh_from_db()
    assert (first.ended_as, first.decision) == ("done", "")
    change_opportunity(opportunity_id=deal.pk, next_step="", actor=system)
    assert look(deal)["next_step"].pk != first.pk


def test_what_a_customer_needs_is_suggested_until_they_fare_well(look, rep):
    deal = make_deal(owner=rep, **COMPLETE)
    make_ticket(deal.account)
    make_health(deal.account, 20, as_of=timezone.now() - timedelta(days=1))
    assert {one.sentence: one.reason for one in look(deal).values()} == {
        "Find out what the customer lacks.": "The customer's health is at 20.",
        "See that support solves it.": "A critical ticket is open.",
    }
    make_ticket(deal.account, status="closed")
    make_health(deal.account, 95)
    assert look(deal) == {}


def test_what_was_asked_for_is_not_done_because_a_deal_moved_back(look, rep, acting, system):
    deal = make_deal(owner=rep, **COMPLETE | {"stage": "qualification"})
    row = look(deal)["products"]
    accept_suggestion(suggestion_id=row.pk, actor=acting(rep))
    move_opportunity(opportunity_id=deal.pk, stage="discovery", actor=system)
    assert look(deal) == {}
    row.refresh_from_db()
    assert (row.decision, row.ended_as) == ("accepted", "")


def test_its_worth_follows_the_amount_in_the_organisation_s_currency(look, rep, system):
    deal = make_deal(owner=rep, **COMPLETE | {"next_step": "", "amount": Decimal("333.33")})
    assert look(deal)["next_step"].value == Decimal("20.00")
    change_opportunity(opportunity_id=deal.pk, amount=Decimal(1000), actor=system)
    assert look(deal)["next_step"].value == Decimal(60)
    change_opportunity(opportunity_id=deal.pk, currency="CHF", actor=system)
    assert look(deal)["next_step"].value is None


@pytest.mark.parametrize(("stage", "ending"), [("closed_won", "won"), ("closed_lost", "lost")])
def test_nothing_is_suggested_about_a_closed_deal(look, rep, system, stage, ending):
    deal = make_deal(owner=rep, stage="negotiation", amount=Decimal(5))
    assert look(deal)
    reason = {"loss_reason": "No budget"} if stage == "closed_lost" else {}
    move_opportunity(opportunity_id=deal.pk, stage=stage, **reason, actor=system)
    assert look(deal) == {}
    assert set(Suggestion.objects.values_list("ended_as", flat=True)) == {ending}


def test_nothing_is_suggested_about_a_deal_in_the_bin(look, rep, system):
    deal = make_deal(owner=rep)
    assert look(deal)
    delete_opportunity(opportunity_id=deal.pk, actor=system)
    assert look(deal) == {}
    assert set(Suggestion.objects.values_list("ended_as", flat=True)) == {"deleted"}


@pytest.mark.parametrize(("decision", "days"), [(accept_suggestion, 14), (dismiss_suggestion, 30)])
def test_what_was_decided_comes_again_when_it_was_not_done(
    look, rep, acting, system, decision, days
):
    deal = make_deal(owner=rep, **COMPLETE | {"expected_close_date": None})
    row = look(deal)["close_date"]
    decision(suggestion_id=row.pk, actor=acting(rep))
    assert look(deal) == {}
    with time_machine.travel(timezone.now() + timedelta(days=days - 1)):
        suggest_everywhere(actor=system)
        assert "close_date" not in look(deal)
    with time_machine.travel(timezone.now() + timedelta(days=days, minutes=1)):
        suggest_everywhere(actor=system)
        assert "close_date" in look(deal)
    row.refresh_from_db()
    assert row.ended_as == "lapsed"


def test_a_decision_is_told_once_and_stays(look, rep, acting):
    deal = make_deal(owner=rep)
    row = look(deal)["next_step"]
    for _ in range(2):
        accept_suggestion(suggestion_id=row.pk, actor=acting(rep))
    with pytest.raises(DecidedOtherwise):
        dismiss_suggestion(suggestion_id=row.pk, actor=acting(rep))
    row.refresh_from_db()
    assert (row.decision, row.decided_by, row.because) == ("accepted", rep, "")
    told = BusinessEvent.objects.get(name__startswith="suggestion.")
    assert (told.name, told.aggregate_id) == ("suggestion.accepted", deal.pk)
    assert told.payload["key"] == "next_step"


def test_what_is_over_is_decided_on_no_longer(look, rep, acting, system):
    deal = make_deal(owner=rep)
    row = look(deal)["next_step"]
    change_opportunity(opportunity_id=deal.pk, next_step="Call", actor=system)
    look(deal)
    with pytest.raises(SuggestionOver):
        dismiss_suggestion(suggestion_id=row.pk, because="No", actor=acting(rep))
    row.refresh_from_db()
    assert (row.decision, row.because) == ("", "")


def test_only_whoever_sees_and_works_the_deal_decides(look, rep, outsider, manager, acting):
    territory = TerritoryFactory()
    row = look(make_deal(owner=rep, territory_id=territory.pk))["next_step"]
    with pytest.raises(NotFound):
        accept_suggestion(suggestion_id=row.pk, actor=acting(outsider))
    reader = UserFactory(role=Role.READ_ONLY)
    TerritoryMemberFactory(territory=territory, user=reader)
    with pytest.raises(NotAllowed):
        accept_suggestion(suggestion_id=row.pk, actor=acting(reader))
    row.refresh_from_db()
    assert row.decision == ""
    accept_suggestion(suggestion_id=row.pk, actor=acting(manager))


def test_refuses_to_make_suggestions_for_whoever_may_not(rep, acting):
    with pytest.raises(NotAllowed):
        suggest(ids=[make_deal(owner=rep).pk], actor=acting(rep))
    assert not Suggestion.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_decide_at_once_the_first_counts(rep, acting, system):
    suggest(ids=[make_deal(owner=rep, **COMPLETE | {"next_step": ""}).pk], actor=system)
    row = Suggestion.objects.get()
    actor = acting(rep)

    def decide(decision):
        decision(suggestion_id=row.pk, actor=actor)

    found = outcomes_at_once(decide, [accept_suggestion, dismiss_suggestion])
    assert found == ["decided_otherwise", "done"]
    assert BusinessEvent.objects.filter(name__startswith="suggestion.").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_look_at_a_deal_at_once_suggest_it_once(rep, system):
    deal = make_deal(owner=rep, **COMPLETE | {"next_step": ""})
    found = outcomes_at_once(lambda _: suggest(ids=[deal.pk], actor=system), range(2))
    assert found == ["done", "done"]
    assert Suggestion.objects.count() == 1


# --- Doors --------------------------------------------------------------------------------------


def test_the_list_goes_by_worth_and_decisions_are_made_over_rest(look, api, rep, outsider):
    small = make_deal(owner=rep, name="Small", **COMPLETE | {"next_step": ""})
    large = make_deal(
        owner=rep, name="Large", **COMPLETE | {"next_step": "", "amount": Decimal(90_000)}
    )
    look(small)
    client = api(rep)
    rows = client.call("GET", "/intelligence/suggestions?is_open=true").json()["data"]
    assert [(one["opportunity_name"], one["value"]) for one in rows] == [
        ("Large", 5400.00),
        ("Small", 600.00),
    ]
    assert api(outsider).call("GET", "/intelligence/suggestions").json()["data"] == []
    accepted = client.call("POST", f"/intelligence/suggestions/{rows[0]['id']}/accept", {})
    assert (accepted.status_code, accepted.json()["decision"]) == (200, "accepted")
    path = f"/intelligence/suggestions/{rows[1]['id']}/dismiss"
    assert client.call("POST", path, {"because": "They know"}).json()["decision"] == "dismissed"
    assert client.call("POST", path, {"why": "They know"}).status_code == 400
    elsewhere = api(outsider).call("POST", path, {})
    assert elsewhere.status_code == 404
    [row] = client.call("GET", f"/opportunities/{small.pk}/suggestions").json()["data"]
    assert (row["decision"], row["because"], row["decided_by"]["name"]) == (
        "dismissed",
        "They know",
        "Rex Rep",
    )
    assert client.call("GET", f"/opportunities/{large.pk}/suggestions").status_code == 200
    mine = client.call("GET", f"/intelligence/suggestions?owner_id={rep.pk}&decision=accepted")
    assert [one["opportunity_name"] for one in mine.json()["data"]] == ["Large"]


def test_outcomes_tell_what_came_of_what_was_decided(look, api, rep, outsider, acting, system):
    facts = COMPLETE | {"next_step": "", "stage": "negotiation"}
    deals = [make_deal(owner=rep, **facts) for _ in range(3)]
    for number, deal in enumerate(deals):
        row = look(deal)["next_step"]
        decide = dismiss_suggestion if number == 2 else accept_suggestion
        decide(suggestion_id=row.pk, actor=acting(rep))
    change_opportunity(opportunity_id=deals[0].pk, next_step="Sign", actor=system)
    look(deals[0])
    for deal in (deals[0], deals[2]):
        move_opportunity(opportunity_id=deal.pk, stage="closed_won", actor=system)
    look(deals[2])
    answer = api(rep).call("GET", "/intelligence/suggestions/outcomes").json()
    certain = {"value": 1.0, "low": 0.2065, "high": 1.0}
    assert answer["outcomes"] == [
        {"key": "next_step", "decision": "accepted", "count": 2, "done": certain, "won": certain},
        {
            "key": "next_step",
            "decision": "dismissed",
            "count": 1,
            "done": {"value": 0.0, "low": 0.0, "high": 0.7935},
            "won": certain,
        },
    ]
    assert api(outsider).call("GET", "/intelligence/suggestions/outcomes").json()["outcomes"] == []
    wrong = api(rep).call("GET", "/intelligence/suggestions/outcomes?from=2026-02-01&to=2026-01-01")
    assert wrong.status_code == 400


def test_the_back_office_lists_and_decides(look, client, rep, outsider):
    row = look(make_deal(owner=rep, name="Acme renewal", **COMPLETE | {"next_step": ""}))[
        "next_step"
    ]
    client.force_login(rep)
    start = client.get(reverse("admin:index")).content.decode()
    assert "What to do next" in start
    assert "Agree on the next step." in start
    page = client.get(reverse("admin:intelligence_suggestion_changelist")).content.decode()
    assert "Acme renewal" in page
    deal_page = reverse("admin:opportunities_opportunity_change", args=[row.opportunity_id])
    assert "Agree on the next step." in client.get(deal_page).content.decode()
    assert (
        client.get(reverse("admin:intelligence_suggestion_change", args=[row.pk])).status_code
        == 200
    )
    client.post(reverse("admin:intelligence_suggestion_operation_accept", args=[row.pk]))
    row.refresh_from_db()
    assert row.decision == "accepted"
    client.force_login(outsider)
    page = client.get(reverse("admin:intelligence_suggestion_changelist")).content.decode()
    assert "Acme renewal" not in page
