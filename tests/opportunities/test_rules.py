"""The rules of moving, grading and scoring deals, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import InvalidInput
from apps.customer_success.rules import Standing
from apps.opportunities.errors import StageFactsMissing, StageMoveNotAllowed
from apps.opportunities.rules import (
    Graded,
    Health,
    Process,
    StageRule,
    category_in,
    check_gate,
    company_domain,
    deal_score,
    is_postponed,
    line_amount,
    probability_in,
    share_in_percent,
)

FORWARD = {
    "discovery": ("qualification", "proposal"),
    "qualification": ("proposal", "negotiation"),
    "proposal": ("negotiation",),
    "negotiation": ("closed_won",),
    "closed_won": (),
    "closed_lost": (),
}
KINDS = {"closed_won": "won", "closed_lost": "lost"}
PROBABILITIES = (20, 40, 50, 90, 100, 0)
PROCESS = Process(
    uuid4(),
    "default",
    tuple(
        StageRule(
            id=uuid4(),
            key=key,
            position=position,
            kind=KINDS.get(key, "open"),
            probability=PROBABILITIES[position],
            forecast_category={"won": "closed", "lost": "omitted"}.get(
                KINDS.get(key, ""), "pipeline"
            ),
            expected_days=14,
            forward=FORWARD[key],
        )
        for position, key in enumerate(FORWARD)
    ),
)
STAGE = {one.key: one for one in PROCESS.stages}
ALLOWED = {
    ("discovery", "qualification"),
    ("discovery", "proposal"),
    ("discovery", "closed_lost"),
    ("qualification", "discovery"),
    ("qualification", "proposal"),
    ("qualification", "negotiation"),
    ("qualification", "closed_lost"),
    ("proposal", "qualification"),
    ("proposal", "negotiation"),
    ("proposal", "closed_lost"),
    ("negotiation", "proposal"),
    ("negotiation", "closed_won"),
    ("negotiation", "closed_lost"),
}


@pytest.mark.parametrize("current", FORWARD)
@pytest.mark.parametrize("wanted", FORWARD)
def test_a_deal_goes_forward_one_step_back_or_is_lost_and_nowhere_else(current, wanted):
    assert PROCESS.allows(STAGE[current], STAGE[wanted]) is ((current, wanted) in ALLOWED)


def test_a_refused_move_tells_the_forward_moves():
    with pytest.raises(StageMoveNotAllowed) as refused:
        PROCESS.check_move(STAGE["discovery"], STAGE["closed_won"])
    assert refused.value.message == "Invalid opportunity stage transition"
    assert refused.value.details == {
        "current_stage": "discovery",
        "requested_stage": "closed_won",
        "allowed_stages": ["qualification", "proposal"],
    }


def test_a_lost_deal_says_why_and_a_gate_names_all_that_is_missing():
    check_gate(STAGE["closed_lost"], {"loss_reason": "Price"})
    gated = replace(STAGE["closed_won"], required_fields=("contract_term", "start_date", "amount"))
    with pytest.raises(StageFactsMissing) as refused:
        check_gate(gated, {"contract_term": 12, "start_date": None, "amount": Decimal(0)})
    assert refused.value.details["missing_fields"] == ["start_date", "amount"]
    with pytest.raises(StageFactsMissing):
        check_gate(STAGE["closed_lost"], {"loss_reason": ""})


@pytest.mark.parametrize(
    ("stage", "stated", "before", "after"),
    [
        ("proposal", None, None, Graded(50, "stage")),
        ("proposal", 50, None, Graded(50, "stage")),
        ("proposal", 65, None, Graded(65, "manual")),
        ("proposal", None, Graded(35, "manual"), Graded(35, "manual")),
        ("proposal", None, Graded(20, "stage"), Graded(50, "stage")),
        ("proposal", 50, Graded(35, "manual"), Graded(50, "stage")),
        ("proposal", 0, Graded(35, "manual"), Graded(0, "manual")),
        ("closed_won", None, Graded(35, "manual"), Graded(100, "stage")),
        ("closed_lost", 0, Graded(35, "manual"), Graded(0, "stage")),
    ],
)
def test_probability_follows_the_stage_unless_set_by_hand(stage, stated, before, after):
    assert probability_in(STAGE[stage], stated=stated, before=before) == after


def test_a_closed_deal_has_the_probability_and_category_of_its_stage():
    with pytest.raises(InvalidInput):
        probability_in(STAGE["closed_won"], stated=99, before=None)
    with pytest.raises(InvalidInput):
        category_in(STAGE["closed_lost"], stated="commit", before=None)
    with pytest.raises(InvalidInput):
        category_in(STAGE["proposal"], stated="closed", before=None)


def test_category_stays_when_set_by_hand():
    by_hand = Graded("commit", "manual")
    assert category_in(STAGE["proposal"], stated=None, before=by_hand) == by_hand
    assert category_in(STAGE["proposal"], stated="pipeline", before=by_hand) == Graded(
        "pipeline", "stage"
    )


def test_a_new_deal_starts_in_an_open_stage():
    assert PROCESS.opening(None) == STAGE["discovery"]
    assert PROCESS.opening("proposal") == STAGE["proposal"]
    for key in ("closed_won", "limbo"):
        with pytest.raises(InvalidInput):
            PROCESS.opening(key)


@given(
    quantity=st.integers(1, 100_000),
    unit_price=st.decimals(0, 10_000, places=2),
    discount=st.decimals(0, 1, places=4),
)
def test_a_line_comes_to_cents_and_never_to_more_than_without_discount(
    quantity, unit_price, discount
):
    amount = line_amount(quantity=quantity, unit_price=unit_price, discount=discount)
    assert 0 <= amount <= quantity * unit_price
    assert amount == amount.quantize(Decimal("0.01"))
    assert abs(amount - quantity * unit_price * (1 - discount)) <= Decimal("0.005")


def test_line_amounts_round_half_even():
    half = {"quantity": 1, "discount": Decimal("0.5")}
    assert line_amount(unit_price=Decimal("0.25"), **half) == Decimal("0.12")
    assert line_amount(unit_price=Decimal("0.27"), **half) == Decimal("0.14")


HEALTHY = Health(
    stage=STAGE["proposal"],
    days_in_stage=3,
    amount=Decimal(1000),
    days_to_close=30,
    push_count=0,
    has_next_step=True,
    has_lines=True,
    knows_decision_criteria=True,
)


def test_a_score_says_why():
    score = deal_score(HEALTHY)
    assert score.value == 50 + 10 + 4 + 4 + 6 + 4 + 5
    assert [(one.key, one.points) for one in score.reasons][:2] == [("stage", 10), ("next_step", 6)]
    assert score.value == 50 + sum(one.points for one in score.reasons)


@pytest.mark.parametrize(
    "worse",
    [
        {"stage": STAGE["discovery"]},
        {"days_in_stage": 20},
        {"days_in_stage": 40},
        {"amount": Decimal(0)},
        {"days_to_close": None},
        {"days_to_close": -1},
        {"days_to_close": 500},
        {"push_count": 2},
        {"has_next_step": False},
        {"has_lines": False},
        {"knows_decision_criteria": False},
        {"customer": Standing(health=35)},
        {"customer": Standing(health=55)},
        {"customer": Standing(critical_tickets=1)},
    ],
)
def test_every_flaw_costs_points(worse):
    assert deal_score(replace(HEALTHY, **worse)).value < deal_score(HEALTHY).value


PERCENT = st.none() | st.integers(0, 100)


@given(
    stage=st.sampled_from(PROCESS.stages),
    days_in_stage=st.integers(0, 5000),
    amount=st.decimals(0, 10**12, places=2),
    days_to_close=st.none() | st.integers(-5000, 5000),
    push_count=st.integers(0, 500),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    customer=st.builds(Standing, PERCENT, PERCENT, st.integers(0, 9)),
)
def test_a_score_lies_between_0_and_100(
    stage, days_in_stage, amount, days_to_close, push_count, flags, customer
):
    facts = (stage, days_in_stage, amount, days_to_close, push_count, *flags)
    score = deal_score(Health(*facts, customer))
    assert 0 <= score.value <= 100
    assert score.reasons
    if not stage.is_open:
        assert score.value == stage.probability


@pytest.mark.parametrize(
    ("email", "domain"),
    [
        ("jane@acme.com", "acme.com"),
        ("jane@Mail.Acme.co.uk", "mail.acme.co.uk"),
        ("jane@gmail.com", ""),
        ("42@leads.example", ""),
        ("john.doe@example.com", ""),
        ("a@b.test", ""),
        ("", ""),
    ],
)
def test_an_address_tells_a_company_unless_it_is_personal_or_made_up(email, domain):
    assert company_domain(email) == domain


def test_shares_and_postponements():
    assert share_in_percent(Decimal(360_000), Decimal(900_000), otherwise=1) == 40
    assert share_in_percent(Decimal(0), Decimal(0), otherwise=40) == 40
    assert is_postponed(date(2026, 1, 1), date(2026, 1, 2))
    assert not is_postponed(date(2026, 1, 2), date(2026, 1, 1))
    assert not is_postponed(None, date(2026, 1, 1))
    assert not is_postponed(date(2026, 1, 1), None)
