"""History that can be trusted: replayed it gives the present, and nobody alters it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.actors import system_actor
from apps.core.errors import Refusal
from apps.core.events import from_payload
from apps.core.models import BusinessEvent
from apps.opportunities.events import OpportunityWon
from apps.opportunities.models import (
    Opportunity,
    OpportunityAssignment,
    OpportunityChange,
    StageSpan,
)
from apps.opportunities.services.deals import (
    change_opportunity,
    delete_opportunity,
    restore_opportunity,
)
from apps.opportunities.services.stages import (
    move_opportunities,
    move_opportunity,
    reopen_opportunity,
)
from tests.factories.catalog import ProductFactory
from tests.factories.opportunities import make_deal

ACTOR = system_actor(door="test")
STAGES = (
    "discovery",
    "qualification",
    "proposal",
    "negotiation",
    "closed_won",
    "closed_lost",
)
DAYS = st.dates(date(2026, 1, 1), date(2026, 12, 31))
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "amount": st.decimals(0, 10_000, places=2),
        "expected_close_date": st.none() | DAYS,
        "probability": st.none() | st.integers(0, 100),
        "forecast_category": st.none() | st.sampled_from(("pipeline", "commit", "omitted")),
        "next_step": st.sampled_from(("", "Call")),
    },
)
STATED = st.fixed_dictionaries(
    {},
    optional={
        "probability": st.integers(0, 100),
        "loss_reason": st.just("Price"),
        "notes": st.just("Said so"),
    },
)
STEPS = st.one_of(
    st.tuples(st.just(move_opportunity), STATED, st.sampled_from(STAGES)),
    st.tuples(st.just(move_opportunities), STATED, st.sampled_from(STAGES)),
    st.tuples(st.just(change_opportunity), FACTS, st.none() | st.sampled_from(STAGES)),
    st.tuples(st.just(reopen_opportunity), st.just({}), st.none()),
    st.tuples(st.just(delete_opportunity), st.just({}), st.none()),
    st.tuples(st.just(restore_opportunity), st.just({}), st.none()),
)


def carry_out(
    deal: Opportunity, act: Callable[..., Any], facts: dict[str, Any], stage: Any
) -> None:
    """One step; a refused one must change nothing."""
    before = snapshot(deal)
    aim = {"stage": stage} if stage else {}
    try:
        if act is move_opportunities:
            (result,) = act(ids=[deal.pk], **aim, **facts, actor=ACTOR)
            if result.refusal:
                raise result.refusal
        else:
            act(opportunity_id=deal.pk, **aim, **facts, actor=ACTOR)
    except Refusal:
        assert snapshot(deal) == before


def snapshot(deal: Opportunity) -> tuple[Any, ...]:
    """The deal and its history as they are stored."""
    return (
        Opportunity.objects.with_bin().filter(pk=deal.pk).values().get(),
        list(StageSpan.objects.filter(opportunity=deal).order_by("entered_at", "id").values()),
        list(OpportunityChange.objects.filter(opportunity=deal).order_by("seq").values()),
    )


def check(deal: Opportunity) -> None:
    """What always holds."""
    row, spans, changes = snapshot(deal)

    assert changes[0]["kind"] == "created"
    for earlier, later in zip(changes, changes[1:], strict=False):
        assert later["seq"] > earlier["seq"]
        assert later["at"] >= earlier["at"]
        for name in ("stage_{}_id", "amount_{}", "close_{}", "probability_{}", "category_{}"):
            assert later[name.format("from")] == earlier[name.format("to")]
    last = changes[-1]
    assert last["seq"] <= row["version"]
    assert (
        last["stage_to_id"],
        last["amount_to"],
        last["close_to"],
        last["owner_to_id"],
        last["probability_to"],
        last["category_to"],
    ) == (
        row["stage_id"],
        row["amount"],
        row["expected_close_date"],
        row["owner_id"],
        row["probability"],
        row["forecast_category"],
    )

    assert [one["left_at"] is None for one in spans] == [False] * (len(spans) - 1) + [True]
    for earlier, later in zip(spans, spans[1:], strict=False):
        assert earlier["entered_at"] <= earlier["left_at"] == later["entered_at"]
        assert earlier["stage_id"] != later["stage_id"]
    assert spans[-1]["stage_id"] == row["stage_id"]
    assert spans[-1]["entered_at"] == row["stage_entered_at"]
    moves = [one for one in changes if one["stage_from_id"] != one["stage_to_id"]]
    assert [one["stage_to_id"] for one in moves] == [one["stage_id"] for one in spans]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, min_size=1, max_size=8))
def test_replaying_the_changes_gives_the_present(rep, steps):
    with transaction.atomic():
        deal = make_deal(owner=rep, amount=Decimal(100))
        for step in steps:
            carry_out(deal, *step)
            check(deal)
        transaction.set_rollback(True)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    probability=st.integers(0, 100).filter(lambda one: one != 20),
    stages=st.lists(st.sampled_from(STAGES[:4]), max_size=8),
)
def test_a_probability_set_by_hand_survives_every_move_between_open_stages(
    rep, probability, stages
):
    with transaction.atomic():
        deal = make_deal(owner=rep, probability=probability)
        for stage in stages:
            carry_out(deal, move_opportunity, {}, stage)
        deal.refresh_from_db()
        assert (deal.probability, deal.probability_source) == (probability, "manual")
        transaction.set_rollback(True)


@pytest.mark.parametrize("alter", ["update", "delete"])
def test_history_is_never_altered(rep, alter):
    make_deal(owner=rep)
    changes = OpportunityChange.objects.all()
    with pytest.raises(DatabaseError, match="never altered"), transaction.atomic():
        changes.update(amount_to=1) if alter == "update" else changes.delete()
    assert OpportunityChange.objects.get().amount_to == 0


def test_the_database_refuses_a_stage_moved_past_the_service(rep):
    deal = make_deal(owner=rep)
    with pytest.raises(IntegrityError), transaction.atomic():
        Opportunity.objects.filter(pk=deal.pk).update(stage_key="proposal")
    with pytest.raises(IntegrityError), transaction.atomic():
        Opportunity.objects.filter(pk=deal.pk).update(kind="won")
    with pytest.raises(IntegrityError), transaction.atomic():
        StageSpan.objects.create(
            opportunity=deal, stage=deal.stage, entered_at=deal.stage_entered_at
        )


def test_a_deal_belongs_to_one_owner_at_any_moment(rep):
    deal = make_deal(owner=rep)
    period = OpportunityAssignment.objects.get(record=deal)
    period.pk = None
    period.id = type(deal)().pk
    with pytest.raises(IntegrityError), transaction.atomic():
        period.save(force_insert=True)


def test_every_event_can_be_heard_as_it_was_told(rep):
    ProductFactory(code="prod_123")
    payments = [{"due_on": date(2026, 3, 1), "amount": Decimal(50)}]
    lines = [{"product_id": "prod_123", "quantity": 2, "unit_price": Decimal("9.99")}]
    deal = make_deal(owner=rep, stage="closed_won", products=lines, payment_schedule=payments)
    reopen_opportunity(opportunity_id=deal.pk, actor=ACTOR)
    change_opportunity(opportunity_id=deal.pk, amount=Decimal(7), actor=ACTOR)
    move_opportunity(opportunity_id=deal.pk, stage="closed_lost", loss_reason="Price", actor=ACTOR)
    delete_opportunity(opportunity_id=deal.pk, actor=ACTOR)
    told = BusinessEvent.objects.filter(aggregate_id=deal.pk).order_by("sequence")
    heard = [from_payload(one.name, json.dumps(one.payload)) for one in told]
    assert {one.name for one in told} == {
        "opportunity.created",
        "opportunity.stage_changed",
        "opportunity.won",
        "opportunity.credit_changed",
        "opportunity.updated",
        "opportunity.lost",
    }
    won = next(one for one in heard if isinstance(one, OpportunityWon))
    assert won.lines[0].amount == Decimal("19.98")
    assert won.payment_schedule[0].amount == Decimal("50.00")
    assert won.opportunity_id == deal.pk
