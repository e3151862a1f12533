"""Changing deals, handing them over, deleting and restoring them, reopening closed ones."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from apps.core.models import BusinessEvent
from apps.opportunities.models import (
    Opportunity,
    OpportunityAssignment,
    OpportunityChange,
    StageSpan,
)
from apps.opportunities.services.deals import reassign_opportunity
from tests.factories.accounts import AccountFactory
from tests.factories.catalog import ProductFactory
from tests.factories.opportunities import in_days, make_deal
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory


@pytest.fixture
def deal(rep):
    return make_deal(
        owner=rep,
        amount=Decimal("1000.00"),
        expected_close_date=date.fromisoformat(in_days(30)),
    )


def row(deal):
    """All columns, to compare before and after."""
    return Opportunity.objects.with_bin().filter(pk=deal.pk).values().get()


def news_of(deal):
    """The names and payloads of what was told since the deal was begun."""
    events = BusinessEvent.objects.filter(aggregate_id=deal.pk).order_by("sequence")
    return [(one.name, one.payload) for one in events][1:]


def test_changes_facts_and_tells_which(api, rep, deal):
    answer = api(rep).call(
        "PUT",
        f"/opportunities/{deal.pk}",
        {
            "amount": 2500.5,
            "expected_close_date": in_days(60),
            "forecast_category": "commit",
            "metadata": {"decision_criteria": ["price"]},
            "notes": "They doubled the seats",
        },
    )
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["amount"], body["version"]) == (2500.50, 2)
    assert body["account"] == {"id": str(deal.account_id), "name": deal.account.name}
    assert body["owner"]["name"] == "Rex Rep"
    deal.refresh_from_db()
    assert deal.push_count == 1
    assert (deal.forecast_category, deal.forecast_category_source) == ("commit", "manual")
    change = OpportunityChange.objects.get(opportunity=deal, seq=2)
    assert (change.kind, change.notes) == ("changed", "They doubled the seats")
    assert (change.amount_from, change.amount_to) == (Decimal("1000.00"), Decimal("2500.50"))
    assert (change.close_from.isoformat(), change.close_to.isoformat()) == (
        in_days(30),
        in_days(60),
    )
    assert (change.category_from, change.category_to) == ("pipeline", "commit")
    ((name, payload),) = news_of(deal)
    assert name == "opportunity.updated"
    assert payload["changed"] == [
        "amount",
        "expected_close_date",
        "metadata",
        "forecast_category",
    ]
    assert (payload["amount"], payload["previous_expected_close_date"]) == (2500.50, in_days(30))
    assert payload["is_in_bin"] is False


def test_pulling_a_deal_in_is_no_postponement(api, rep, deal):
    api(rep).call("PATCH", f"/opportunities/{deal.pk}", {"expected_close_date": in_days(10)})
    deal.refresh_from_db()
    assert deal.push_count == 0


def test_a_change_of_nothing_leaves_no_trace(api, rep, deal):
    before = row(deal)
    answer = api(rep).call(
        "PATCH", f"/opportunities/{deal.pk}", {"amount": 1000, "probability": 20, "name": deal.name}
    )
    assert answer.status_code == 200
    assert row(deal) == before
    assert news_of(deal) == []


def test_a_changed_stage_runs_the_same_guarded_move(api, rep, deal):
    client, path = api(rep), f"/opportunities/{deal.pk}"
    before = row(deal)
    refused = client.call("PATCH", path, {"amount": 5, "stage": "closed_won"})
    assert refused.status_code == 400
    assert refused.json()["error"]["details"] == {
        "reason": "stage_move_not_allowed",
        "current_stage": "discovery",
        "requested_stage": "closed_won",
        "allowed_stages": ["qualification", "proposal"],
    }
    assert row(deal) == before
    assert client.call("PATCH", path, {"amount": 5, "stage": "proposal"}).status_code == 200
    assert [name for name, _ in news_of(deal)] == [
        "opportunity.updated",
        "opportunity.stage_changed",
    ]
    assert OpportunityChange.objects.get(opportunity=deal, seq=2).kind == "moved"


def test_a_stale_write_is_refused_with_the_current_values(api, rep, deal):
    client, path = api(rep), f"/opportunities/{deal.pk}"
    client.call("PATCH", path, {"next_step": "Call"})
    before = row(deal)
    for stale in (
        client.call("PATCH", path, {"next_step": "Write", "version": 1}),
        client.call("PATCH", path, {"next_step": "Write"}, if_match='"1"'),
    ):
        assert stale.status_code == 409
        error = stale.json()["error"]
        assert error["code"] == "CONFLICT"
        assert error["details"]["current"]["next_step"] == "Call"
        assert error["details"]["current"]["amount"] == 1000.00
    assert row(deal) == before
    assert client.call("PATCH", path, {"next_step": "W"}, if_match='"2"').status_code == 200


def test_lines_are_replaced_and_a_difference_is_shown_not_corrected(api, rep, deal):
    ProductFactory(code="prod_a", name="Plan A")
    ProductFactory(code="prod_b", unit_cost=Decimal("4.00"), cost_currency="USD")
    client, path = api(rep), f"/opportunities/{deal.pk}"
    lines = [
        {"product_id": "prod_a", "quantity": 2, "unit_price": 100},
        {"product_id": "prod_b", "quantity": 10, "unit_price": 10, "discount": 0.5},
    ]
    body = client.call("PATCH", path, {"products": lines}).json()
    assert (body["lines_total"], body["amount"], body["amount_differs"]) == (250.0, 1000.0, True)
    assert body["products"][0] == {
        "product_id": "prod_a",
        "product": {"id": body["products"][0]["product"]["id"], "name": "Plan A"},
        "quantity": 2,
        "unit_price": 100.00,
        "discount": 0.0,
        "amount": 200.00,
        "configuration": {},
    }
    assert news_of(deal)[-1][1]["changed"] == ["products"]
    again = client.call("PATCH", path, {"products": lines}).json()
    assert again["version"] == body["version"]
    emptied = client.call("PATCH", path, {"products": []}).json()
    assert (emptied["products"], emptied["lines_total"], emptied["amount_differs"]) == (
        [],
        None,
        False,
    )


def test_margins_are_for_those_with_the_right(api, rep, manager, deal):
    ProductFactory(code="prod_b", unit_cost=Decimal("4.00"), cost_currency="USD")
    line = {"product_id": "prod_b", "quantity": 10, "unit_price": 10}
    api(rep).call("PATCH", f"/opportunities/{deal.pk}", {"products": [line]})
    assert "margin" not in api(rep).call("GET", f"/opportunities/{deal.pk}").json()
    assert api(manager).call("GET", f"/opportunities/{deal.pk}").json()["margin"] == 60.00


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"amount": None}, "amount"),
        ({"amount": -5}, "amount"),
        ({"expected_close_date": "tomorrow"}, "expected_close_date"),
        ({"stage": "limbo"}, "stage"),
        ({"loss_reason": "none"}, "loss_reason"),
        ({"account_id": "00000000-0000-7000-8000-00000000dead"}, "account_id"),
        ({"deal_score": 100}, "deal_score"),
        ({"next_step": "x" * 2001}, "next_step"),
        ({"version": "2"}, "version"),
    ],
)
def test_refuses_what_makes_no_sense(api, rep, deal, change, field):
    before = row(deal)
    answer = api(rep).call("PATCH", f"/opportunities/{deal.pk}", change)
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["error"]["details"]["fields"]
    assert row(deal) == before
    assert news_of(deal) == []


@pytest.mark.parametrize(
    "change", [{"amount": 1}, {"expected_close_date": None}, {"currency": "EUR"}, {"products": []}]
)
def test_a_closed_deal_keeps_what_its_results_were_counted_from(api, rep, change):
    ProductFactory(code="prod_a")
    line = {"product_id": "prod_a", "quantity": 1, "unit_price": Decimal(9)}
    won = make_deal(
        owner=rep,
        stage="closed_won",
        products=[line],
        expected_close_date=date.fromisoformat(in_days(3)),
    )
    before = row(won)
    answer = api(rep).call("PATCH", f"/opportunities/{won.pk}", change)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["reason"] == "opportunity_is_closed"
    assert row(won) == before
    assert won.lines.count() == 1


def test_a_lost_deal_can_get_a_better_reason(api, rep):
    lost = make_deal(owner=rep, stage="closed_lost")
    client = api(rep)
    changed = client.call("PATCH", f"/opportunities/{lost.pk}", {"loss_reason": "No budget"})
    assert changed.json()["loss_reason"] == "No budget"
    refused = client.call("PATCH", f"/opportunities/{lost.pk}", {"loss_reason": ""})
    assert refused.status_code == 400


# --- Handing over -----------------------------------------------------------------------------


def test_a_manager_hands_a_deal_over(api, manager, rep, deal):
    colleague = UserFactory(name="Cora Colleague", manager=manager)
    answer = api(manager).call(
        "PATCH", f"/opportunities/{deal.pk}", {"owner_id": str(colleague.pk)}
    )
    assert answer.status_code == 200, answer.content
    assert answer.json()["owner"] == {"id": str(colleague.pk), "name": "Cora Colleague"}
    change = OpportunityChange.objects.get(opportunity=deal, seq=2)
    assert (change.kind, change.owner_from, change.owner_to) == ("reassigned", rep, colleague)
    old, new = OpportunityAssignment.objects.filter(record=deal).order_by("valid")
    assert (old.owner, new.owner) == (rep, colleague)
    assert old.valid.upper == new.valid.lower
    assert new.valid.upper is None
    (updated, assigned) = news_of(deal)
    assert updated[0] == "opportunity.updated"
    assert updated[1]["previous_owner_id"] == str(rep.pk)
    assert assigned[0] == "territory.assignment_changed"
    assert (assigned[1]["record_type"], assigned[1]["owner_id"]) == (
        "opportunity",
        str(colleague.pk),
    )


def test_a_rep_does_not(api, rep, deal):
    before = row(deal)
    answer = api(rep).call(
        "PATCH", f"/opportunities/{deal.pk}", {"owner_id": str(UserFactory().pk)}
    )
    assert answer.status_code == 403
    assert answer.json()["error"]["details"]["permission"] == "opportunity:assign"
    assert row(deal) == before
    assert OpportunityAssignment.objects.filter(record=deal).count() == 1


def test_nobody_hands_a_deal_out_of_the_own_sight(api, manager, outsider, deal):
    before = row(deal)
    answer = api(manager).call("PATCH", f"/opportunities/{deal.pk}", {"owner_id": str(outsider.pk)})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["reason"] == "opportunity_out_of_reach"
    assert row(deal) == before


def test_reassigning_gives_a_reason_and_leaves_out_what_stays(acting, admin, rep, deal):
    territory = TerritoryFactory()
    moved = reassign_opportunity(
        opportunity_id=deal.pk,
        territory_id=territory.pk,
        reason="New region",
        actor=acting(admin),
    )
    assert (moved.owner, moved.territory_id) == (rep, territory.pk)
    last = OpportunityAssignment.objects.filter(record=deal).order_by("valid").last()
    assert (last.territory, last.reason, last.cause) == (territory, "New region", "manual")


# --- The bin ----------------------------------------------------------------------------------


def test_a_manager_deletes_and_restores_a_deal(api, manager, rep, deal):
    client, path = api(manager), f"/opportunities/{deal.pk}"
    assert client.call("DELETE", path).status_code == 204
    assert client.call("GET", path).status_code == 404
    assert client.call("GET", "/opportunities").json()["data"] == []
    assert client.call("PUT", f"{path}/stage", {"stage": "proposal"}).status_code == 404
    assert client.call("DELETE", path).status_code == 404
    restored = client.call("POST", f"{path}/restore")
    assert restored.status_code == 200, restored.content
    assert restored.json()["stage"] == "discovery"
    assert client.call("GET", path).json()["version"] == 3
    assert [
        (name, payload["changed"], payload["is_in_bin"]) for name, payload in news_of(deal)
    ] == [
        ("opportunity.updated", ["bin"], True),
        ("opportunity.updated", ["bin"], False),
    ]
    kinds = OpportunityChange.objects.filter(opportunity=deal).order_by("seq")
    assert [one.kind for one in kinds] == ["created", "deleted", "restored"]
    assert client.call("POST", f"{path}/restore").status_code == 404


def test_a_rep_deletes_nothing(api, rep, deal):
    before = row(deal)
    assert api(rep).call("DELETE", f"/opportunities/{deal.pk}").status_code == 403
    assert row(deal) == before


def test_a_won_deal_is_not_deleted(api, manager, rep):
    won = make_deal(owner=rep, stage="closed_won")
    before = row(won)
    answer = api(manager).call("DELETE", f"/opportunities/{won.pk}")
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["reason"] == "won_opportunity_kept"
    assert row(won) == before


def test_the_bin_keeps_thirty_days(api, manager, deal):
    client = api(manager)
    client.call("DELETE", f"/opportunities/{deal.pk}")
    Opportunity.objects.with_bin().update(deleted_at=timezone.now() - timedelta(days=31))
    answer = client.call("POST", f"/opportunities/{deal.pk}/restore")
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["reason"] == "too_late_to_restore"
    assert Opportunity.objects.count() == 0


def test_nobody_restores_what_is_out_of_reach(api, manager, outsider, deal):
    api(manager).call("DELETE", f"/opportunities/{deal.pk}")
    assert api(outsider).call("POST", f"/opportunities/{deal.pk}/restore").status_code == 404
    assert Opportunity.objects.count() == 0


# --- Reopening --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("closed", "last"), [("closed_won", "negotiation"), ("closed_lost", "proposal")]
)
def test_a_manager_reopens_a_closed_deal_where_it_was(api, manager, rep, closed, last):
    deal = make_deal(owner=rep, stage=closed)
    answer = api(manager).call(
        "POST", f"/opportunities/{deal.pk}/reopen", {"notes": "They came back"}
    )
    assert answer.status_code == 200, answer.content
    assert answer.json()["stage"] == last
    deal.refresh_from_db()
    assert (deal.kind, deal.loss_reason, deal.actual_close_date) == ("open", "", None)
    assert (deal.won_at, deal.lost_at) == (None, None)
    assert deal.probability == deal.stage.probability
    change = OpportunityChange.objects.filter(opportunity=deal).latest("seq")
    assert (change.kind, change.notes) == ("reopened", "They came back")
    assert StageSpan.objects.get(opportunity=deal, left_at=None).stage == deal.stage
    payload = dict(news_of(deal))["opportunity.stage_changed"]
    assert (payload["from_stage"], payload["to_stage"], payload["to_kind"]) == (
        closed,
        last,
        "open",
    )


def test_a_rep_reopens_nothing(api, rep):
    deal = make_deal(owner=rep, stage="closed_won")
    before = row(deal)
    answer = api(rep).call("POST", f"/opportunities/{deal.pk}/reopen", {})
    assert answer.status_code == 403
    assert answer.json()["error"]["details"]["permission"] == "opportunity:reopen"
    assert row(deal) == before


def test_an_open_deal_is_not_reopened(api, manager, deal):
    before = row(deal)
    answer = api(manager).call("POST", f"/opportunities/{deal.pk}/reopen", {})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["reason"] == "opportunity_is_open"
    assert row(deal) == before


def test_a_deal_moves_to_another_account_within_reach(api, rep, deal):
    other = AccountFactory(owner=rep, name="Beta Ltd")
    answer = api(rep).call("PATCH", f"/opportunities/{deal.pk}", {"account_id": str(other.pk)})
    assert answer.json()["account"] == {"id": str(other.pk), "name": "Beta Ltd"}
    assert news_of(deal)[0][1]["changed"] == ["account_id"]
