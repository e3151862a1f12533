"""How good forecasts were: measured at 90, 60, 30, 7 and 0 days, branch by branch."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import NotAllowed
from apps.forecasts.models import ForecastAccuracy, ForecastLine, ForecastSnapshot
from apps.forecasts.rules import said_by_branch
from apps.forecasts.selectors.nodes import period_named
from apps.forecasts.services.accuracy import measure_accuracy
from tests.factories.forecasts import ForecastSubmissionFactory

QUARTER = period_named("Q1_2026")
END = datetime(2026, 4, 1, tzinfo=ZoneInfo("UTC"))
MONEY = Decimal


def taken(node, days, *, weighted=None, closed="0.00", model=None, currency="USD", last=False):
    """A snapshot of the quarter as it stood so many days before its last day was over."""
    place = "territory" if hasattr(node, "parent_territory_id") else "user"
    snapshot = ForecastSnapshot.objects.create(
        **{place: node},
        period=QUARTER.key,
        starts_on=QUARTER.starts_on,
        ends_on=QUARTER.ends_on,
        kind="nightly",
        taken_at=END - timedelta(days=days, hours=2),
        is_current=last,
        currency=currency,
        weighted_amount=MONEY(weighted or 0) + MONEY(closed),
        open_amount=0,
        closed_amount=MONEY(closed),
        model_weighted_amount=None if model is None else MONEY(model),
    )
    parts = (("commit", weighted), ("closed", closed if MONEY(closed) else None))
    for category, amount in parts:
        if amount is not None:
            ForecastLine.objects.create(
                snapshot=snapshot,
                currency=currency,
                category=category,
                count=1,
                amount=MONEY(amount) if category == "closed" else MONEY(amount) * 2,
                weighted_amount=MONEY(amount),
                model_weighted_amount=MONEY(model) if model and category == "commit" else None,
                breakdown=[],
            )


def said(node, days, amount, **facts):
    return ForecastSubmissionFactory(
        user=node,
        period=QUARTER.key,
        amount=MONEY(amount),
        created_at=END - timedelta(days=days, hours=2),
        **facts,
    )


def figures(node):
    rows = ForecastAccuracy.objects.filter(node_id=node.pk).order_by("-days_before", "currency")
    return [
        (
            one.days_before,
            one.submitted_amount,
            one.weighted_amount,
            one.model_weighted_amount,
            one.actual_amount,
        )
        for one in rows
    ]


def measure(system, days_later=2):
    return measure_accuracy(now=END + timedelta(days=days_later), actor=system)


@pytest.fixture
def ended(rep):
    """The rep's quarter: forecast ever better, closed at 100."""
    taken(rep, 70, weighted="200.00")
    taken(rep, 31, weighted="150.00", model="120.00")
    taken(rep, 8, weighted="90.00", closed="20.00", model="85.00")
    taken(rep, 0, weighted="10.00", closed="100.00", model="108.00", last=True)
    first = said(rep, 40, "80.00")
    said(rep, 5, "95.00", supersedes=first)
    said(rep, 20, "999.00", forecast_type="best_case")


def test_notes_what_stood_at_each_horizon_against_what_came(rep, manager, ended, system):
    assert measure(system) == 8
    assert figures(rep) == [
        (60, None, MONEY("200.00"), None, MONEY("100.00")),
        (30, MONEY("80.00"), MONEY("150.00"), MONEY("120.00"), MONEY("100.00")),
        (7, MONEY("80.00"), MONEY("110.00"), MONEY("85.00"), MONEY("100.00")),
        (0, MONEY("95.00"), MONEY("110.00"), MONEY("108.00"), MONEY("100.00")),
    ]
    assert figures(manager) == figures(rep)
    one = ForecastAccuracy.objects.get(user=rep, days_before=30)
    assert (one.period, one.period_kind, one.ends_on, one.territory) == (
        "Q1_2026",
        "quarter",
        QUARTER.ends_on,
        None,
    )


def test_a_manager_answers_for_everybody_below_and_speaks_for_them(rep, manager, outsider, system):
    other = type(rep).objects.create(email="two@example.com", name="Two", manager=manager)
    for who, amount in ((rep, "10.00"), (other, "20.00")):
        taken(who, 30, weighted=amount)
        taken(who, 0, closed=amount, last=True)
        said(who, 31, amount)
    taken(manager, 30)
    taken(manager, 0, closed="1.00", last=True)
    said(manager, 8, "25.00")
    taken(outsider, 30, weighted="500.00", last=True)
    measure(system)
    assert [one[:3] for one in figures(manager)] == [
        (30, MONEY("30.00"), MONEY("30.00")),
        (7, MONEY("25.00"), MONEY("30.00")),
        (0, MONEY("25.00"), MONEY("31.00")),
    ]
    assert {one[4] for one in figures(manager)} == {MONEY("31.00")}


def test_measures_anew_while_deals_are_closed_late_and_then_no_more(rep, ended, system):
    measure(system)
    line = ForecastLine.objects.filter(category="closed", amount=100)
    line.update(amount=130, weighted_amount=130)
    measure(system, days_later=44)
    assert {one[4] for one in figures(rep)} == {MONEY("130.00")}
    ForecastLine.objects.filter(amount=130).update(amount=140, weighted_amount=140)
    assert measure(system, days_later=60) == 0
    assert {one[4] for one in figures(rep)} == {MONEY("130.00")}


def test_a_period_nobody_measured_is_measured_however_late(ended, system):
    assert measure(system, days_later=400) == 8


def test_leaves_periods_that_go_on_alone(rep, ended, system):
    assert measure_accuracy(now=END - timedelta(hours=1), actor=system) == 0
    assert not ForecastAccuracy.objects.exists()


def test_the_end_is_the_organisations(rep, ended, system, settings):
    settings.ORGANISATION_TIME_ZONE = "Pacific/Auckland"
    measure_accuracy(now=END, actor=system)
    # There the last day was over half a day before: the snapshot of its evening came afterwards.
    assert figures(rep)[-1][2] == MONEY("110.00")
    assert figures(rep)[-1][3] == MONEY("85.00")


def test_tells_how_far_off_and_which_way(api, rep, manager, outsider, ended, system):
    measure(system)
    answer = api(rep).call("GET", "/forecasts/accuracy")
    assert answer.status_code == 200, answer.content
    found = {(one["days_before"], one["method"]): one for one in answer.json()["data"]}
    assert found[30, "submitted"] == {
        "days_before": 30,
        "method": "submitted",
        "currency": "USD",
        "periods": 1,
        "mape": 20.0,
        "bias": -20.0,
    }
    assert (found[60, "stage_weighted"]["mape"], found[60, "stage_weighted"]["bias"]) == (100, 100)
    assert (found[0, "model_weighted"]["mape"], found[7, "model_weighted"]["bias"]) == (8, -15)
    assert (60, "model_weighted") not in found
    assert api(manager).call("GET", "/forecasts/accuracy").json() == answer.json()
    for query, expected in (("period_kind=month", 0), ("by=territory", 0), ("", 10)):
        body = api(manager).call("GET", f"/forecasts/accuracy?{query}").json()
        assert len(body["data"]) == expected, query
    assert api(outsider).call("GET", f"/forecasts/accuracy?user_id={rep.pk}").status_code == 404
    assert api(rep).call("GET", "/forecasts/accuracy?period_kind=week").status_code == 400
    rows = api(rep).call("GET", "/forecasts/accuracy/periods?period=Q1_2026").json()["data"]
    assert [one["days_before"] for one in rows if one["actual_amount"] == 100.00] != []
    assert api(outsider).call("GET", "/forecasts/accuracy/periods").json()["data"] == []


def test_several_periods_are_averaged_and_those_without_sales_left_out(api, rep):
    for number, (forecast, actual) in enumerate([(150, 100), (50, 100), (10, 0)]):
        period = period_named(f"Q{number + 1}_2025")
        ForecastAccuracy.objects.create(
            user=rep,
            period=period.key,
            starts_on=period.starts_on,
            ends_on=period.ends_on,
            period_kind="quarter",
            days_before=30,
            currency="USD",
            weighted_amount=forecast,
            actual_amount=actual,
            measured_at=END,
        )
    (one,) = api(rep).call("GET", "/forecasts/accuracy").json()["data"]
    assert (one["periods"], one["mape"], one["bias"]) == (3, 50.0, 5.0)


def test_refuses_who_may_not(acting, manager, ended):
    with pytest.raises(NotAllowed):
        measure_accuracy(now=END, actor=acting(manager))
    assert not ForecastAccuracy.objects.exists()


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.integers(1, 100)), min_size=1))
def test_what_was_said_of_a_branch_is_said_once(tree):
    ids = [UUID(int=place + 1) for place in range(len(tree))]
    above = {
        ids[place]: ids[over % place] if place else None for place, (over, _, _) in enumerate(tree)
    }
    told = {
        one: ("USD", Decimal(amount))
        for one, (_, speaks, amount) in zip(ids, tree, strict=True)
        if speaks
    }

    def of(node):
        if node in told:
            return told[node][1]
        return sum((of(one) for one, over in above.items() if over == node), Decimal(0))

    found = said_by_branch(told, above)
    assert all(found.get((one, "USD"), 0) == of(one) for one in ids)
