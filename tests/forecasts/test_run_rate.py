"""What a period comes to at the speed so far: by blocks of thirty days, a year of them at most."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import product
from random import Random
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from apps.core.periods import Period
from apps.forecasts.models import ForecastAccuracy, ForecastFact, ForecastSnapshot
from apps.forecasts.rules import BLOCK_DAYS, Line, RunRate, run_rate
from apps.forecasts.selectors.nodes import period_named
from apps.forecasts.selectors.run_rates import run_rates
from apps.forecasts.services.accuracy import measure_accuracy
from apps.forecasts.services.computation import compute_forecasts
from apps.opportunities.models import Opportunity
from tests.factories.forecasts import this_quarter, today
from tests.factories.opportunities import make_deal

MONEY = Decimal
DAY = timedelta(days=1)


def won(owner, amount, days_ago, **facts):
    """A deal that was closed so many days ago."""
    deal = make_deal(owner=owner, amount=MONEY(amount), stage="closed_won", **facts)
    Opportunity.objects.filter(pk=deal.pk).update(actual_close_date=today() - days_ago * DAY)
    return deal


def rates(*nodes, line=Line.REPORTING, period=None):
    ids = [one.pk for one in nodes]
    return run_rates(ids, line, period=period or days_ahead(15), today=today())


def days_ahead(count, behind=0):
    """A period of which so many days are ahead, today among them."""
    last = today() + (count - 1) * DAY
    return Period(today() - behind * DAY, last, "Q1_2026", this_quarter().kind)


# --- The rule -----------------------------------------------------------------------------------


def test_days_left_bring_what_as_many_brought_before():
    blocks = [MONEY(300), MONEY(600), MONEY(900)]
    found = run_rate(MONEY(100), blocks, 15)
    assert found is not None
    assert found.amount == MONEY("400.00")
    # 300 a block, half a block, as uncertain as three blocks leave it: 300 × √(½ × 7/6) × 1.886.
    assert (found.low, found.high) == (MONEY("100.00"), MONEY("832.14"))


def test_even_blocks_leave_nothing_open():
    assert run_rate(MONEY(0), [MONEY(30)] * 12, 45) == RunRate(MONEY(45), MONEY(45), MONEY(45))


def test_one_block_says_nothing():
    assert run_rate(MONEY(1), [MONEY(1)], 10) is None
    assert run_rate(MONEY(1), [], 10) is None


def test_when_it_is_over_it_is_what_was_closed():
    for days_left in (0, -40):
        found = run_rate(MONEY(70), [MONEY(1), MONEY(2), MONEY(3)], days_left)
        assert found == RunRate(MONEY(70), MONEY(70), MONEY(70))


@given(
    closed=st.decimals(0, 10**12, places=2),
    blocks=st.lists(st.decimals(0, 10**12, places=2), min_size=2, max_size=12),
    days_left=st.integers(0, 366),
)
def test_lies_between_its_ends_and_never_below_what_is_closed(closed, blocks, days_left):
    found = run_rate(closed, blocks, days_left)
    assert found is not None
    assert closed <= found.low <= found.amount <= found.high
    expected = sum(blocks) / len(blocks) * days_left / BLOCK_DAYS
    assert abs(found.amount - closed - expected) <= MONEY("0.01")


def test_the_ends_hold_eight_of_ten_where_blocks_are_alike():
    random, held = Random(7), 0
    for _ in range(2_000):
        blocks = [MONEY(round(random.gauss(1_000, 200))) for _ in range(9)]
        found = run_rate(MONEY(0), blocks[3:], 90)
        held += found.low <= sum(blocks[:3]) <= found.high
    assert 0.77 < held / 2_000 < 0.83


# --- From the facts -----------------------------------------------------------------------------


def test_is_drawn_from_what_was_closed_in_the_past_year(rep, outsider, system):
    won(rep, "300.00", 5)
    won(rep, "600.00", 40)
    won(rep, "900.00", 90)
    won(rep, "77.00", 20, currency="EUR")
    won(outsider, "5000.00", 10)
    make_deal(owner=rep, amount=MONEY(999), expected_close_date=today())
    compute_forecasts(actor=system)
    found = rates(rep)
    # 300 were closed within the period; euros were sold for twenty days only.
    assert found == {"USD": RunRate(MONEY("300.00"), MONEY("0.00"), MONEY("732.14"))}
    assert rates(rep, period=days_ahead(15, behind=5))["USD"].amount == MONEY("600.00")
    assert rates(rep, outsider)["USD"].amount == MONEY("1133.33")
    # One that has not begun yet is all ahead.
    later = Period(today() + 10 * DAY, today() + 39 * DAY, "Q1_2026", this_quarter().kind)
    assert rates(rep, period=later)["USD"].amount == MONEY("600.00")


def test_looks_back_a_year_and_no_further(rep, system):
    for days_ago, amount in ((1, "1200.00"), (360, "1200.00"), (361, "80000.00")):
        won(rep, amount, days_ago)
    compute_forecasts(actor=system)
    assert rates(rep, period=days_ahead(30))["USD"].amount == MONEY("200.00")


def test_today_lies_ahead_and_what_was_closed_on_it_counts(rep, system):
    for days_ago in (1, 40, 90):
        won(rep, "30.00", days_ago)
    compute_forecasts(actor=system)
    last_day = days_ahead(1)
    assert rates(rep, period=last_day)["USD"].amount == MONEY("1.00")
    won(rep, "500.00", 0)
    compute_forecasts(actor=system)
    assert rates(rep, period=last_day)["USD"].amount == MONEY("501.00")
    assert rates(rep, period=days_ahead(1, behind=1))["USD"].amount == MONEY("531.00")


def test_goes_by_territory_too(rep, west, system):
    for days_ago in (5, 40, 90):
        won(rep, "30.00", days_ago, territory_id=west.pk)
        won(rep, "30.00", days_ago)
    compute_forecasts(actor=system)
    assert rates(west, line=Line.TERRITORY)["USD"].amount == MONEY("15.00")
    assert rates(rep)["USD"].amount == MONEY("30.00")


def test_nobody_who_closed_nothing_has_one(rep, system):
    make_deal(owner=rep, amount=MONEY(999), expected_close_date=today())
    compute_forecasts(actor=system)
    assert rates(rep) == {}


def test_stands_on_the_roll_up_and_the_page_of_a_forecast(api, rep, manager, system, client):
    for days_ago in (5, 40, 90):
        won(rep, "3000000.00", days_ago)
    compute_forecasts(actor=system)
    period = this_quarter()
    body = api(manager).call("GET", f"/forecasts/{period.key}/rollup").json()
    expected = rates(rep, period=period)["USD"]
    assert body["run_rate"] == [
        {
            "currency": "USD",
            "amount": float(expected.amount),
            "low_amount": float(expected.low),
            "high_amount": float(expected.high),
        }
    ]
    client.force_login(manager)
    page = client.get(reverse("admin:forecasts_forecastsnapshot_roll_up")).content.decode()
    assert "At the run rate" in page
    snapshot = ForecastSnapshot.objects.get(user=rep, period=period.key)
    address = reverse("admin:forecasts_forecastsnapshot_change", args=[snapshot.pk])
    assert f"{expected.amount:,.2f}" in client.get(address).content.decode()


# --- How good it was ----------------------------------------------------------------------------

QUARTER = period_named("Q1_2026")
UTC = ZoneInfo("UTC")


def fact(deal, closed_on, began_at, ended_at=None, amount="90.00"):
    """A closed deal as it counted from one moment to another."""
    return ForecastFact.objects.create(
        opportunity=deal,
        owner=deal.owner,
        territory=deal.territory,
        stage="closed_won",
        category="closed",
        currency="USD",
        amount=MONEY(amount),
        probability=100,
        weighted_amount=MONEY(amount),
        counts_on=closed_on,
        began_at=began_at,
        ended_at=ended_at,
    )


@pytest.fixture
def ended_quarter(rep, west):
    """The quarter of the rep and the West, for which nothing was computed but what was closed."""
    moments = (
        (datetime(2025, 12, 25, tzinfo=UTC), False),
        (datetime(2026, 3, 31, tzinfo=UTC), True),
    )
    for node, (moment, is_current) in product(({"user": rep}, {"territory": west}), moments):
        ForecastSnapshot.objects.create(
            **node,
            period=QUARTER.key,
            starts_on=QUARTER.starts_on,
            ends_on=QUARTER.ends_on,
            kind="nightly",
            taken_at=moment,
            is_current=is_current,
            currency="USD",
            weighted_amount=0,
            open_amount=0,
            closed_amount=0,
        )


def test_is_measured_by_what_was_known_at_the_time(rep, manager, system, west, ended_quarter):
    first = datetime(2025, 12, 20, tzinfo=UTC)
    for closed_on in (date(2025, 11, 5), date(2025, 12, 5), date(2026, 1, 2)):
        fact(make_deal(owner=rep, territory_id=west.pk), closed_on, first)
    # Known since February only, and one that was taken back in March.
    fact(make_deal(owner=rep), date(2026, 1, 20), datetime(2026, 2, 10, tzinfo=UTC), amount="10.00")
    fact(
        make_deal(owner=rep),
        date(2026, 1, 25),
        first,
        ended_at=datetime(2026, 3, 5, tzinfo=UTC),
        amount="1000.00",
    )
    measure_accuracy(now=datetime(2026, 4, 2, tzinfo=UTC), actor=system)
    found = {
        one.days_before: one.run_rate_amount for one in ForecastAccuracy.objects.filter(user=rep)
    }
    # 90 days before, on December 31st, one block was full: that says nothing. 60 days before, on
    # January 30th, two: 90 and 1000, and 90. 30 days before, on March 1st, three: 0, then 10 more,
    # and 90. Of the quarter 1090 were closed, and 1100.
    assert found[90] is None
    assert found[60] == MONEY("1090.00") + 2 * MONEY("590.00")
    assert found[30] == MONEY("1496.67")
    assert found[0] == MONEY("100.00")
    above = ForecastAccuracy.objects.get(user=manager, days_before=30)
    assert above.run_rate_amount == found[30]
    # In the West 90 were closed three times, one of them in the quarter.
    place = ForecastAccuracy.objects.get(territory=west, days_before=30)
    assert place.run_rate_amount == MONEY("90.00") + MONEY("180.00") / 3
