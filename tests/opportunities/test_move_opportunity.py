"""Moving deals from stage to stage, one by one and many at once."""

from __future__ import annotations

import threading
from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection

from apps.core import bulk
from apps.core.actors import system_actor
from apps.core.errors import NotFound, Refusal
from apps.core.models import BusinessEvent, Job
from apps.core.periods import organisation_day
from apps.opportunities.models import Opportunity, OpportunityChange, Stage, StageSpan
from apps.opportunities.services.deals import change_opportunity
from apps.opportunities.services.stages import move_opportunities, move_opportunity
from apps.users.models import Role
from tests.factories.accounts import AccountFactory
from tests.factories.catalog import ProductFactory
from tests.factories.opportunities import default_pipeline, in_days, make_deal
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory

LOST = {"stage": "closed_lost", "loss_reason": "Too expensive"}


@pytest.fixture
def deal(rep):
    return make_deal(owner=rep, amount=Decimal("120000.00"))


def state(deal):
    """All that a refusal must leave alone."""
    return (
        list(Opportunity.objects.with_bin().filter(pk=deal.pk).values()),
        list(StageSpan.objects.filter(opportunity=deal).values()),
        OpportunityChange.objects.filter(opportunity=deal).count(),
        BusinessEvent.objects.filter(aggregate_id=deal.pk).count(),
    )


def test_moves_a_deal_as_the_source_shows_it(api, rep, deal):
    answer = api(rep).call(
        "PUT",
        f"/opportunities/{deal.pk}/stage",
        {
            "stage": "proposal",
            "probability": 50,
            "next_step": "Send proposal by Friday",
            "notes": "Customer requested custom pricing",
        },
    )
    assert answer.status_code == 200, answer.content
    deal.refresh_from_db()
    assert answer.json() == {
        "id": str(deal.pk),
        "stage": "proposal",
        "probability": 50,
        "deal_score": deal.deal_score,
        "updated_at": deal.updated_at.isoformat().replace("+00:00", "Z"),
    }
    assert deal.stage.key == deal.stage_key == "proposal"
    assert deal.last_open_stage == deal.stage
    assert (deal.probability, deal.probability_source) == (50, "stage")
    assert deal.forecast_category == "best_case"
    assert deal.next_step == "Send proposal by Friday"
    assert deal.version == 2


def test_keeps_history_and_tells(api, rep, deal):
    entered_at = deal.stage_entered_at
    api(rep).call(
        "PUT", f"/opportunities/{deal.pk}/stage", {"stage": "qualification", "notes": "Budget"}
    )
    deal.refresh_from_db()
    change = OpportunityChange.objects.get(opportunity=deal, seq=2)
    assert (change.kind, change.notes) == ("moved", "Budget")
    assert (change.stage_from.key, change.stage_to.key) == ("discovery", "qualification")
    assert (change.probability_from, change.probability_to) == (20, 40)
    first, second = StageSpan.objects.filter(opportunity=deal).order_by("entered_at")
    assert (first.entered_at, first.left_at) == (entered_at, deal.stage_entered_at)
    assert (second.stage.key, second.entered_at, second.left_at) == (
        "qualification",
        deal.stage_entered_at,
        None,
    )
    (event,) = BusinessEvent.objects.filter(aggregate_id=deal.pk).exclude(
        name="opportunity.created"
    )
    assert event.name == "opportunity.stage_changed"
    assert event.payload == {
        "opportunity_id": str(deal.pk),
        "pipeline": "default",
        "from_stage": "discovery",
        "from_kind": "open",
        "to_stage": "qualification",
        "to_kind": "open",
        "probability": 40,
        "amount": 120000.00,
        "currency": "USD",
        "expected_close_date": None,
        "forecast_category": "pipeline",
        "owner_id": str(rep.pk),
        "territory_id": None,
    }


def test_refuses_a_move_exactly_as_the_source_does(api, rep, deal):
    before = state(deal)
    answer = api(rep).call("PUT", f"/opportunities/{deal.pk}/stage", {"stage": "closed_won"})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert error["message"] == "Invalid opportunity stage transition"
    assert error["details"] == {
        "reason": "stage_move_not_allowed",
        "current_stage": "discovery",
        "requested_stage": "closed_won",
        "allowed_stages": ["qualification", "proposal"],
    }
    assert state(deal) == before


def test_goes_one_step_back_but_not_two(api, rep):
    deal = make_deal(owner=rep, stage="proposal")
    client = api(rep)
    refused = client.call("PUT", f"/opportunities/{deal.pk}/stage", {"stage": "discovery"})
    assert refused.status_code == 400
    moved = client.call("PUT", f"/opportunities/{deal.pk}/stage", {"stage": "qualification"})
    assert moved.status_code == 200
    assert moved.json()["probability"] == 40


def test_a_probability_set_by_hand_stays_until_it_is_given_back(api, rep, deal):
    client, path = api(rep), f"/opportunities/{deal.pk}"
    client.call("PUT", f"{path}/stage", {"stage": "qualification", "probability": 65})
    moved = client.call("PUT", f"{path}/stage", {"stage": "proposal"})
    assert moved.json()["probability"] == 65
    given_back = client.call("PATCH", path, {"probability": None})
    assert (given_back.json()["probability"], given_back.json()["probability_source"]) == (
        50,
        "stage",
    )


def test_moving_to_where_it_stands_changes_nothing(api, rep, deal):
    before = state(deal)
    answer = api(rep).call("PUT", f"/opportunities/{deal.pk}/stage", {"stage": "discovery"})
    assert answer.status_code == 200
    assert answer.json()["stage"] == "discovery"
    assert state(deal) == before


def test_wins_a_deal_and_tells_all_that_others_go_by(api, rep):
    account = AccountFactory(name="Acme Corp", owner=rep)
    ProductFactory(code="prod_123", name="Enterprise Plan")
    deal = make_deal(
        account=account,
        stage="negotiation",
        amount=Decimal("120000.00"),
        contract_term=12,
        start_date=date(2026, 3, 1),
        payment_terms="net_30",
        billing_frequency="monthly",
        payment_schedule=[{"due_on": date(2026, 3, 1), "amount": Decimal(60000)}],
        special_requirements="Custom integration",
        priority="high",
        products=[
            {
                "product_id": "prod_123",
                "quantity": 100,
                "unit_price": Decimal("100.00"),
                "discount": Decimal("0.10"),
                "configuration": {"data_center": "us-east-1"},
            }
        ],
    )
    answer = api(rep).call(
        "PUT",
        f"/opportunities/{deal.pk}/stage",
        {"stage": "closed_won", "close_reason": "Best fit"},
    )
    assert answer.status_code == 200, answer.content
    deal.refresh_from_db()
    assert (deal.kind, deal.probability, deal.forecast_category) == ("won", 100, "closed")
    assert deal.won_at == deal.stage_entered_at
    assert deal.lost_at is None
    assert deal.actual_close_date == organisation_day(deal.won_at)
    assert deal.last_open_stage.key == "negotiation"
    assert deal.deal_score == 100
    assert OpportunityChange.objects.get(opportunity=deal, seq=deal.version).kind == "won"
    names = BusinessEvent.objects.filter(aggregate_id=deal.pk).order_by("sequence")
    assert [one.name for one in names] == [
        "opportunity.created",
        "opportunity.stage_changed",
        "opportunity.won",
        "opportunity.credit_changed",
    ]
    assert names[2].payload == {
        "opportunity_id": str(deal.pk),
        "account_id": str(account.pk),
        "account_name": "Acme Corp",
        "lead_id": None,
        "amount": 120000.00,
        "currency": "USD",
        "closed_on": deal.actual_close_date.isoformat(),
        "close_reason": "Best fit",
        "lines": [
            {
                "product_id": str(deal.lines.get().product_id),
                "product_code": "prod_123",
                "product_name": "Enterprise Plan",
                "quantity": 100,
                "unit_price": 100.00,
                "discount": 0.1,
                "amount": 9000.00,
                "configuration": {"data_center": "us-east-1"},
            }
        ],
        "contract_term": 12,
        "start_date": "2026-03-01",
        "payment_terms": "net_30",
        "billing_frequency": "monthly",
        "payment_schedule": [{"due_on": "2026-03-01", "amount": 60000.00}],
        "special_requirements": "Custom integration",
        "priority": "high",
        "owner_id": str(rep.pk),
        "territory_id": None,
        "splits": [{"user_id": str(rep.pk), "kind": "revenue", "percentage": 100}],
    }


def test_loses_a_deal_only_with_a_reason(api, rep, deal):
    client, path = api(rep), f"/opportunities/{deal.pk}/stage"
    before = state(deal)
    refused = client.call("PUT", path, {"stage": "closed_lost"})
    assert refused.status_code == 400
    details = refused.json()["error"]["details"]
    assert (details["reason"], details["missing_fields"]) == (
        "stage_facts_missing",
        ["loss_reason"],
    )
    assert state(deal) == before
    assert client.call("PUT", path, LOST).status_code == 200
    deal.refresh_from_db()
    assert (deal.kind, deal.probability, deal.loss_reason) == ("lost", 0, "Too expensive")
    assert deal.lost_at == deal.stage_entered_at
    lost = BusinessEvent.objects.get(name="opportunity.lost").payload
    assert (lost["last_open_stage"], lost["loss_reason"]) == ("discovery", "Too expensive")


@pytest.mark.parametrize("closed", ["closed_won", "closed_lost"])
def test_a_closed_deal_does_not_move(api, rep, closed):
    deal = make_deal(owner=rep, stage=closed)
    before = state(deal)
    answer = api(rep).call("PUT", f"/opportunities/{deal.pk}/stage", {"stage": "proposal"})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["allowed_stages"] == []
    assert state(deal) == before


def test_a_gate_asks_for_contract_terms(api, rep):
    Stage.objects.filter(key="closed_won").update(
        required_fields=["contract_term", "payment_terms", "products"]
    )
    deal = make_deal(owner=rep, stage="negotiation")
    client = api(rep)
    refused = client.call("PUT", f"/opportunities/{deal.pk}/stage", {"stage": "closed_won"})
    assert refused.json()["error"]["details"]["missing_fields"] == [
        "contract_term",
        "payment_terms",
        "products",
    ]
    ProductFactory(code="prod_123")
    filled = client.call(
        "PATCH",
        f"/opportunities/{deal.pk}",
        {
            "stage": "closed_won",
            "contract_term": 12,
            "payment_terms": "net_30",
            "products": [{"product_id": "prod_123", "quantity": 1, "unit_price": 5}],
        },
    )
    assert filled.status_code == 200, filled.content
    assert filled.json()["stage"] == "closed_won"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "stage"),
        ({"stage": "limbo"}, "stage"),
        ({"stage": 5}, "stage"),
        ({"stage": "proposal", "probability": 150}, "probability"),
        ({"stage": "proposal", "loss_reason": "none"}, "loss_reason"),
        ({"stage": "proposal", "amount": 5}, "amount"),
    ],
)
def test_refuses_what_makes_no_sense(api, rep, deal, body, field):
    before = state(deal)
    answer = api(rep).call("PUT", f"/opportunities/{deal.pk}/stage", body)
    assert answer.status_code == 400
    assert field in answer.json()["error"]["details"]["fields"]
    assert state(deal) == before


def test_a_stale_version_is_refused_with_the_current_values(api, rep, deal):
    client, path = api(rep), f"/opportunities/{deal.pk}"
    etag = client.call("GET", path)["ETag"]
    assert etag == '"1"'
    client.call("PUT", f"{path}/stage", {"stage": "qualification"})
    before = state(deal)
    refused = client.call("PUT", f"{path}/stage", {"stage": "proposal"}, if_match=etag)
    assert refused.status_code == 409
    details = refused.json()["error"]["details"]
    assert details["reason"] == "stale_version"
    assert (details["current"]["version"], details["current"]["stage"]) == (2, "qualification")
    assert state(deal) == before
    moved = client.call("PUT", f"{path}/stage", {"stage": "proposal", "version": 2})
    assert moved.status_code == 200


def test_a_deal_out_of_reach_does_not_exist(api, outsider, deal):
    before = state(deal)
    answer = api(outsider).call("PUT", f"/opportunities/{deal.pk}/stage", {"stage": "proposal"})
    assert answer.status_code == 404
    assert state(deal) == before


def test_whoever_only_reads_moves_nothing(api, rep):
    territory = TerritoryFactory()
    viewer = UserFactory(role=Role.READ_ONLY)
    territory.members.create(user=viewer)
    deal = make_deal(owner=rep, territory_id=territory.pk)
    before = state(deal)
    client = api(viewer)
    assert client.call("GET", f"/opportunities/{deal.pk}").status_code == 200
    answer = client.call("PUT", f"/opportunities/{deal.pk}/stage", {"stage": "proposal"})
    assert answer.status_code == 403
    assert state(deal) == before


# --- Many at once -----------------------------------------------------------------------------


def test_a_bulk_move_answers_for_every_deal(api, rep, outsider, deal):
    further = make_deal(owner=rep, stage="negotiation")
    elsewhere = make_deal(owner=outsider)
    gone = uuid4()
    ids = [deal.pk, further.pk, elsewhere.pk, gone]
    answer = api(rep).call(
        "POST", "/opportunities/bulk-stage", {"ids": [str(one) for one in ids], "stage": "proposal"}
    )
    assert answer.status_code == 200, answer.content
    results = answer.json()["results"]
    assert [(one["id"], one["status"]) for one in results] == [
        (str(deal.pk), "done"),
        (str(further.pk), "done"),
        (str(elsewhere.pk), "refused"),
        (str(gone), "refused"),
    ]
    assert [one["error"] and one["error"]["code"] for one in results] == [
        None,
        None,
        "NOT_FOUND",
        "NOT_FOUND",
    ]
    for one, stage in ((deal, "proposal"), (further, "proposal"), (elsewhere, "discovery")):
        one.refresh_from_db()
        assert one.stage_key == stage


@pytest.mark.parametrize("current", ["discovery", "qualification", "proposal", "negotiation"])
@pytest.mark.parametrize("wanted", ["discovery", "negotiation", "closed_won", "closed_lost"])
def test_a_bulk_move_refuses_the_same_as_a_single_one(rep, acting, current, wanted):
    single, one_of_many, other = (make_deal(owner=rep, stage=current) for _ in range(3))
    actor = acting(rep)
    try:
        move_opportunity(opportunity_id=single.pk, stage=wanted, actor=actor)
        refusal = None
    except Refusal as refused:
        refusal = refused
    results = move_opportunities(ids=[one_of_many.pk, other.pk], stage=wanted, actor=actor)
    for result in results:
        assert type(result.refusal) is type(refusal)
        if refusal:
            assert result.refusal.message == refusal.message
            assert result.refusal.details == refusal.details
    for one in (single, one_of_many, other):
        one.refresh_from_db()
    assert single.stage_key == one_of_many.stage_key == other.stage_key
    assert single.version == one_of_many.version == other.version
    kinds = [
        list(OpportunityChange.objects.filter(opportunity=one).values_list("kind", flat=True))
        for one in (single, one_of_many, other)
    ]
    assert kinds[0] == kinds[1] == kinds[2]


def test_a_bulk_move_takes_the_deals_that_a_filter_means(api, rep, outsider, deal):
    big = make_deal(owner=rep, amount=Decimal("500000.00"))
    make_deal(owner=outsider, amount=Decimal("500000.00"))
    answer = api(rep).call(
        "POST",
        "/opportunities/bulk-stage",
        {"filter": {"stage": "discovery", "amount_min": "200000"}, **LOST},
    )
    assert [one["id"] for one in answer.json()["results"]] == [str(big.pk)]
    assert Opportunity.objects.lost().count() == 1


def test_more_than_can_be_answered_at_once_become_a_job(api, rep, deliver_events, monkeypatch):
    monkeypatch.setattr(bulk, "AT_ONCE", 5)
    monkeypatch.setattr(bulk, "BATCH", 3)
    account = AccountFactory(owner=rep)
    deals = [make_deal(account=account) for _ in range(8)]
    stuck = deals[0]
    move_opportunity(opportunity_id=stuck.pk, **LOST, actor=system_actor())
    answer = api(rep).call(
        "POST",
        "/opportunities/bulk-stage",
        {"filter": {"pipeline": "default"}, "stage": "proposal"},
    )
    assert answer.status_code == 202, answer.content
    deliver_events()
    job = Job.objects.get(pk=answer.json()["id"])
    assert (job.status, job.succeeded, job.failed) == ("completed_with_errors", 7, 1)
    assert job.errors[0]["id"] == str(stuck.pk)
    assert job.errors[0]["details"]["reason"] == "stage_move_not_allowed"
    assert Opportunity.objects.filter(stage_key="proposal").count() == 7
    assert StageSpan.objects.filter(left_at=None).count() == 8
    moved = OpportunityChange.objects.filter(kind="moved")
    assert {one.actor_id for one in moved} == {rep.pk}


def test_a_bulk_move_needs_a_constant_number_of_queries(rep, acting, django_assert_num_queries):
    account = AccountFactory(owner=rep)
    deals = [make_deal(account=account) for _ in range(10)]
    actor = acting(rep)
    assert actor.reach.user_ids == (rep.pk,)
    with django_assert_num_queries(11):
        move_opportunities(ids=[one.pk for one in deals], stage="proposal", actor=actor)


# --- Two at once ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_moves_at_once_are_judged_one_after_the_other(rep, acting):
    default_pipeline()
    deal = make_deal(owner=rep, stage="negotiation")
    actor = acting(rep)
    start = threading.Barrier(2)
    outcomes = []

    def move(stage, **stated):
        start.wait()
        try:
            move_opportunity(opportunity_id=deal.pk, stage=stage, actor=actor, **stated)
            outcomes.append(stage)
        except Refusal as refusal:
            outcomes.append(refusal)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=move, args=("closed_won",)),
        threading.Thread(target=move, args=("closed_lost",), kwargs={"loss_reason": "Price"}),
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    deal.refresh_from_db()
    (refused,) = [one for one in outcomes if isinstance(one, Refusal)]
    assert refused.reason == "stage_move_not_allowed"
    assert refused.details["current_stage"] == deal.stage_key
    assert outcomes.count(deal.stage_key) == 1
    assert StageSpan.objects.filter(opportunity=deal, left_at=None).count() == 1
    won = BusinessEvent.objects.filter(name__in=("opportunity.won", "opportunity.lost"))
    assert won.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_move_and_a_change_at_once_both_count(rep, acting):
    default_pipeline()
    deal = make_deal(owner=rep)
    actor = acting(rep)
    start = threading.Barrier(2)

    def run(act):
        start.wait()
        try:
            act()
        finally:
            connection.close()

    acts = (
        lambda: move_opportunity(opportunity_id=deal.pk, stage="proposal", actor=actor),
        lambda: change_opportunity(opportunity_id=deal.pk, amount=Decimal("7.00"), actor=actor),
    )
    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    deal.refresh_from_db()
    assert (deal.stage_key, deal.amount, deal.version) == ("proposal", Decimal("7.00"), 3)
    assert OpportunityChange.objects.filter(opportunity=deal).count() == 3


def test_moving_what_does_not_exist(acting, rep):
    with pytest.raises(NotFound):
        move_opportunity(opportunity_id=uuid4(), stage="proposal", actor=acting(rep))


def test_a_late_deal_is_scored_lower(api, rep):
    deal = make_deal(owner=rep, expected_close_date=date.fromisoformat(in_days(-10)))
    assert {
        name: value
        for name, value in deal.deal_score_reasons[0].items()
        if name in ("key", "points")
    } == {"key": "expected_close_date", "points": -20}
