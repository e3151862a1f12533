"""Forgetting forecasts that stood only for hours; what is shown stays as it is."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from apps.core.retention import days_kept, due_now, everything_kept, forget_what_is_due, keep_for
from apps.forecasts.fields import FORECASTS
from apps.forecasts.models import ForecastFact, ForecastLine, ForecastSnapshot, NightlyRun
from apps.forecasts.services.computation import compute_forecasts
from apps.forecasts.services.nightly import request_nightly_forecast
from apps.forecasts.tasks import forget_what_is_old
from tests.factories.forecasts import this_month, this_quarter, today
from tests.factories.opportunities import make_deal
from tests.factories.users import UserFactory

NOON = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)


def snapshot(user, *, days_ago, hour=0, minutes=0, kind="event", period=None, is_current=False):
    period = period or this_quarter()
    return ForecastSnapshot.objects.create(
        user=user,
        period=period.key,
        starts_on=period.starts_on,
        ends_on=period.ends_on,
        kind=kind,
        taken_at=NOON.replace(hour=hour) - timedelta(days=days_ago) + timedelta(minutes=minutes),
        is_current=is_current,
        currency="USD",
        weighted_amount=1,
        open_amount=1,
        closed_amount=0,
    )


def forget(now=None):
    return forget_what_is_due("forecasts", now=now or NOON)["forecasts.passing_snapshots"]


def kept():
    return set(ForecastSnapshot.objects.all())


def test_of_days_that_are_over_the_last_stays_and_of_today_all(rep):
    other = UserFactory()
    go = {
        snapshot(rep, days_ago=1, hour=9),
        snapshot(rep, days_ago=1, hour=10),
        snapshot(rep, days_ago=40, hour=10),
        # The nightly one of that day came later.
        snapshot(rep, days_ago=3, hour=5),
    }
    stay = {
        snapshot(rep, days_ago=1, hour=11),
        snapshot(rep, days_ago=1, hour=10, period=this_month()),
        snapshot(other, days_ago=1, hour=8),
        snapshot(rep, days_ago=40, hour=23, minutes=59),
        snapshot(rep, days_ago=39, hour=0),
        snapshot(rep, days_ago=3, hour=6, kind="nightly"),
        snapshot(rep, days_ago=2, hour=6, kind="nightly"),
        snapshot(rep, days_ago=2, hour=7, kind="request"),
        snapshot(rep, days_ago=2, hour=8),
        snapshot(rep, days_ago=0, hour=0),
        snapshot(rep, days_ago=0, hour=9),
        snapshot(rep, days_ago=0, hour=10, is_current=True),
    }
    assert kept() == go | stay

    assert forget() == len(go)
    assert kept() == stay
    assert forget() == 0
    assert kept() == stay


def test_what_counts_now_stays_however_old_it_is(rep):
    current = snapshot(rep, days_ago=30, hour=8, is_current=True)
    snapshot(rep, days_ago=30, hour=7)
    assert forget() == 1
    assert kept() == {current}


def test_the_day_is_the_organisations(rep, settings):
    settings.ORGANISATION_TIME_ZONE = "Pacific/Auckland"
    evening = snapshot(rep, days_ago=3, hour=9)
    next_morning = snapshot(rep, days_ago=3, hour=22)
    assert forget() == 0
    assert kept() == {evening, next_morning}


def test_keeps_whole_days_for_as_long_as_somebody_says(rep, system):
    keep_for(name="forecasts.passing_snapshots", days=3, actor=system)
    snapshot(rep, days_ago=3, hour=9)
    stay = {
        snapshot(rep, days_ago=3, hour=10),
        snapshot(rep, days_ago=2, hour=9),
        snapshot(rep, days_ago=2, hour=10),
    }
    assert forget() == 1
    assert kept() == stay


def test_what_is_shown_does_not_change(rep, west, system, deliver_events, api):
    for amount in ("10.00", "20.00", "30.00"):
        make_deal(
            owner=rep, territory_id=west.pk, amount=Decimal(amount), expected_close_date=today()
        )
        deliver_events()
    compute_forecasts(actor=system, periods=[this_quarter()])
    make_deal(owner=rep, territory_id=west.pk, amount=Decimal(5), expected_close_date=today())
    deliver_events()
    client = api(rep)
    address = f"/forecasts/{this_quarter().key}"
    shown = client.call("GET", address).json()
    current = set(ForecastSnapshot.objects.filter(is_current=True))
    facts = ForecastFact.objects.count()
    before = ForecastSnapshot.objects.count()

    assert forget(timezone.now()) == 0
    forgotten = forget(timezone.now() + timedelta(days=1))

    assert forgotten > 0
    assert ForecastSnapshot.objects.count() == before - forgotten
    assert set(ForecastSnapshot.objects.filter(is_current=True)) == current
    assert not ForecastSnapshot.objects.filter(is_current=False, kind="event").exists()
    assert set(ForecastLine.objects.values_list("snapshot", flat=True)) <= {
        one.pk for one in kept()
    }
    assert ForecastFact.objects.count() == facts
    assert client.call("GET", address).json() == shown
    assert FORECASTS.condition == 't."is_current"'


def test_notes_of_nightly_runs_go_and_the_run_of_today_stays(system):
    past = request_nightly_forecast(now=timezone.now() - timedelta(days=200), actor=system)
    waiting = request_nightly_forecast(now=timezone.now() - timedelta(days=201), actor=system)
    present = request_nightly_forecast(now=timezone.now(), actor=system)
    past.job.status = "completed"
    past.job.save()
    forget_what_is_old()
    assert set(NightlyRun.objects.all()) == {waiting, present}


@pytest.mark.parametrize("name", ["forecasts.passing_snapshots", "forecasts.nightly_runs"])
def test_a_look_at_what_is_due_changes_nothing(rep, name):
    snapshot(rep, days_ago=5, hour=9)
    snapshot(rep, days_ago=5, hour=10)
    (one,) = (kept for kept in everything_kept() if kept.name == name)
    due = due_now(one, days_kept()[name], NOON)
    assert due.count() == (1 if name == "forecasts.passing_snapshots" else 0)
    assert ForecastSnapshot.objects.count() == 2
