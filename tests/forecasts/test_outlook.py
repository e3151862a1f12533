"""What a period may come to: exact for a few deals, close for many, and by the score model."""

from __future__ import annotations

import random
from decimal import Decimal
from itertools import product
from math import prod

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.core.money import ZERO
from apps.forecasts.models import ForecastSnapshot
from apps.forecasts.rules import (
    FEW_DEALS,
    Chance,
    Moments,
    Outlook,
    outlook_of_few,
    outlook_of_many,
)
from apps.forecasts.services.computation import compute_forecasts
from apps.intelligence.models import DealProbability, ScoreModel
from tests.factories.accounts import AccountFactory
from tests.factories.forecasts import this_quarter, today
from tests.factories.opportunities import make_deal

CHANCES = st.builds(
    Chance,
    st.integers(1, 10**8).map(lambda cents: Decimal(cents) / 100),
    st.sampled_from([0.01, 0.2, 0.4, 0.5, 0.9, 0.99]),
)


def every_way(closed, deals):
    """The percentiles from every way in which the deals can end, one by one."""
    cases = sorted(
        (
            sum((one.amount for one, won in zip(deals, ending, strict=True) if won), closed),
            prod(
                one.probability if won else 1 - one.probability
                for one, won in zip(deals, ending, strict=True)
            ),
        )
        for ending in product((True, False), repeat=len(deals))
    )

    def at(share):
        reached = 0.0
        for total, chance in cases:
            reached += chance
            if reached >= share - 1e-9:
                return total
        raise AssertionError

    return Outlook(at(0.1), at(0.5), at(0.9))


def drawn(closed, deals, count=40_000):
    """The percentiles of so many draws."""
    chance = random.Random(5)
    pairs = [(float(one.amount), one.probability) for one in deals]
    totals = sorted(sum(amount for amount, p in pairs if chance.random() < p) for _ in range(count))
    return [float(closed) + totals[int(count * share)] for share in (0.1, 0.5, 0.9)]


def moments_of(deals):
    return sum(
        (
            Moments(
                float(one.amount) * one.probability,
                float(one.amount) ** 2 * one.probability * (1 - one.probability),
                float(one.amount) ** 3
                * one.probability
                * (1 - one.probability)
                * (1 - 2 * one.probability),
            )
            for one in deals
        ),
        Moments(),
    )


def skewed(count, seed):
    """Deals as there are: few large ones, most of them early."""
    chance = random.Random(seed)
    return [
        Chance(
            Decimal(str(round(chance.lognormvariate(9, 1.2), 2))),
            chance.choice([0.2, 0.2, 0.4, 0.5, 0.9]),
        )
        for _ in range(count)
    ]


@given(st.integers(0, 10**6).map(Decimal), st.lists(CHANCES, max_size=8))
def test_a_few_deals_are_worked_out_exactly(closed, deals):
    assert outlook_of_few(closed, deals) == every_way(closed, deals)


@pytest.mark.parametrize("count", [12, 30, FEW_DEALS])
@pytest.mark.parametrize("seed", [1, 2])
def test_more_deals_come_within_a_hundredth_of_drawing_them(count, seed):
    deals = skewed(count, seed)
    worth = float(sum(one.amount for one in deals))
    found = outlook_of_few(Decimal(1000), deals)
    for told, seen in zip((found.low, found.median, found.high), drawn(1000, deals), strict=True):
        assert float(told) == pytest.approx(seen, abs=worth / 100)


@pytest.mark.parametrize("count", [3, 40])
def test_what_is_worth_nothing_brings_nothing_and_what_is_certain_all_of_it(count):
    nothing = outlook_of_few(Decimal(7), [Chance(ZERO, 0.5)] * count)
    assert nothing == Outlook(Decimal(7), Decimal(7), Decimal(7))
    deals = [Chance(Decimal("33.33"), 1.0), Chance(Decimal("99.99"), 0.0)] * count
    worth = Decimal("33.33") * count
    assert outlook_of_few(Decimal(7), deals) == Outlook(7 + worth, 7 + worth, 7 + worth)


@pytest.mark.parametrize("count", [FEW_DEALS + 1, 200, 1000])
def test_many_deals_come_within_a_hundredth_too(count):
    deals = skewed(count, 3)
    worth = sum(one.amount for one in deals)
    found = outlook_of_many(ZERO, worth, moments_of(deals))
    seen = drawn(0, deals, 4_000)
    for told, one in zip((found.low, found.median, found.high), seen, strict=True):
        assert float(told) == pytest.approx(one, abs=float(worth) / 100)


@given(st.lists(CHANCES, max_size=70))
def test_is_in_order_and_possible(deals):
    worth = sum((one.amount for one in deals), ZERO)
    for found in (
        outlook_of_few(Decimal(7), deals),
        outlook_of_many(Decimal(7), worth, moments_of(deals)),
    ):
        assert 7 <= found.low <= found.median <= found.high <= 7 + worth


def current(node):
    return ForecastSnapshot.objects.get(node_id=node.pk, period=this_quarter().key, is_current=True)


def publish_model():
    return ScoreModel.objects.create(
        subject="deal",
        version=1,
        state="published",
        verdict="better",
        card={},
        trees="{}",
        published_at=timezone.now(),
    )


def likely(deal, probability, model):
    DealProbability.objects.create(
        opportunity=deal,
        model=model,
        probability=Decimal(probability),
        scored_at=timezone.now(),
    )


def test_weighs_by_the_model_beside_the_stage(api, rep, system):
    account = AccountFactory(owner=rep)
    place = {"account": account, "expected_close_date": today()}
    scored = make_deal(**place, amount=Decimal("1000.01"))
    make_deal(**place, amount=Decimal("10.00"), stage="negotiation")
    make_deal(**place, amount=Decimal("5.00"), stage="closed_won")
    likely(scored, "0.75125", publish_model())
    compute_forecasts(actor=system, periods=[this_quarter()])
    found = current(rep)
    assert (found.weighted_amount, found.model_weighted_amount) == (
        Decimal("214.00"),
        # 751.26 by the model, 9.00 by its stage for want of a score, and 5.00 closed.
        Decimal("765.26"),
    )
    assert found.lines.get(category="pipeline").model_weighted_amount == Decimal("751.26")
    assert (found.low_amount, found.median_amount, found.high_amount) == (
        Decimal("15.00"),
        Decimal("1015.01"),
        Decimal("1015.01"),
    )
    path = f"/forecasts/{this_quarter().key}"
    (row,) = api(rep).call("GET", f"{path}?user_id={rep.pk}").json()["data"]
    assert row["model_weighted_amount"] == 765.26
    assert row["categories"]["best_case"]["model_weighted_amount"] == 0.00
    deals = api(rep).call("GET", f"{path}/deals?ordering=-amount").json()["data"]
    assert [(one["model_probability"], one["model_weighted_amount"]) for one in deals] == [
        (75.13, 751.26),
        (90.00, 9.00),
        (100.00, 5.00),
    ]


def test_without_a_model_the_stage_says_how_likely(rep, system):
    make_deal(owner=rep, amount=Decimal("100.00"), expected_close_date=today(), stage="negotiation")
    compute_forecasts(actor=system, periods=[this_quarter()])
    found = current(rep)
    assert (found.model_weighted_amount, found.lines.get().model_weighted_amount) == (None, None)
    assert (found.low_amount, found.median_amount) == (Decimal("0.00"), Decimal("100.00"))


def test_what_is_closed_is_sure(rep, outsider, system):
    make_deal(owner=rep, amount=Decimal("9.00"), expected_close_date=today(), stage="closed_won")
    compute_forecasts(actor=system, periods=[this_quarter()])
    for node, amount in ((rep, 9), (outsider, 0)):
        found = current(node)
        assert (found.low_amount, found.median_amount, found.high_amount) == (amount,) * 3


def test_many_deals_of_a_territory_are_told_by_their_moments(rep, west, system):
    account = AccountFactory(owner=rep)
    chances = []
    for number in range(FEW_DEALS + 1):
        stage, probability = (("discovery", 0.2), ("negotiation", 0.9))[number % 2]
        amount = Decimal(100 + 7 * number)
        make_deal(
            account=account,
            territory_id=west.pk,
            amount=amount,
            stage=stage,
            expected_close_date=today(),
        )
        chances.append(Chance(amount, probability))
    compute_forecasts(actor=system, periods=[this_quarter()])
    found = current(west)
    worth = sum(one.amount for one in chances)
    expected = outlook_of_many(ZERO, worth, moments_of(chances))
    for told, wanted in (
        (found.low_amount, expected.low),
        (found.median_amount, expected.median),
        (found.high_amount, expected.high),
    ):
        assert float(told) == pytest.approx(float(wanted), abs=0.02)
