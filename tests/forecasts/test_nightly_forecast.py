"""The nightly run: once a day, resumable, whoever asks and however often."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from celery.schedules import crontab
from django.core.mail import EmailMessage
from django.db import connection
from django.utils import timezone

from apps.core.actors import system_actor
from apps.core.errors import NotAllowed
from apps.core.jobs import run_job
from apps.core.models import BusinessEvent, Job
from apps.forecasts.models import (
    ForecastAccuracy,
    ForecastLine,
    ForecastSnapshot,
    NightlyRun,
)
from apps.forecasts.selectors.nodes import period_named, periods_open_at
from apps.forecasts.services import computation
from apps.forecasts.services.nightly import request_nightly_forecast
from apps.forecasts.services.reports import NOWHERE
from apps.forecasts.tasks import compute_nightly_forecasts
from apps.users.models import Role, User
from apps.users.selectors import forget_standings
from salesplatform.celery import app
from tests.factories.forecasts import this_year, today
from tests.factories.opportunities import default_pipeline, make_deal
from tests.factories.users import UserFactory


def test_the_clock_starts_it_at_six():
    entry = app.conf.beat_schedule["nightly forecast"]
    assert entry["task"] == compute_nightly_forecasts.name
    assert entry["schedule"] == crontab(hour=6, minute=0)
    assert app.conf.beat_scheduler == "django_celery_beat.schedulers:DatabaseScheduler"


def test_computes_every_open_period_once_a_day(rep, west, deliver_events):
    make_deal(owner=rep, territory_id=west.pk, amount=Decimal("10.00"), expected_close_date=today())
    deliver_events()
    for _ in range(3):
        compute_nightly_forecasts()
        deliver_events()
    run = NightlyRun.objects.get()
    assert (run.day, run.job.status, run.job.progress) == (today(), "completed", 100)
    nightly = ForecastSnapshot.objects.filter(kind="nightly")
    keys = [one.key for one in periods_open_at(run.created_at)]
    assert sorted(nightly.filter(node_id=west.pk).values_list("period", flat=True)) == sorted(keys)
    assert nightly.count() == run.job.succeeded == 5 * nightly.values("node_id").distinct().count()
    assert not ForecastSnapshot.objects.filter(kind="event", is_current=True).exists()


def test_tells_every_number_though_nothing_changed(rep, west, deliver_events):
    make_deal(owner=rep, territory_id=west.pk, amount=Decimal(9), expected_close_date=today())
    deliver_events()
    known = BusinessEvent.objects.filter(name="forecast.updated").count()
    compute_nightly_forecasts()
    deliver_events()
    told = BusinessEvent.objects.filter(name="forecast.updated").count() - known
    assert told == ForecastLine.objects.filter(snapshot__kind="nightly").count() > 0


def test_measures_how_good_the_forecasts_of_ended_periods_were(rep, system, deliver_events):
    make_deal(owner=rep, amount=Decimal("10.00"), expected_close_date=today())
    ended = period_named("Q1_2020")
    computation.compute_forecasts(actor=system, periods=[ended])
    ForecastSnapshot.objects.filter(period=ended.key).update(taken_at="2020-03-01T00:00:00Z")
    compute_nightly_forecasts()
    deliver_events()
    measured = ForecastAccuracy.objects.filter(user=rep)
    assert sorted(measured.values_list("period", "days_before")) == [
        (ended.key, 0),
        (ended.key, 7),
        (ended.key, 30),
    ]


def test_runs_again_on_the_next_day(system):
    now = timezone.now()
    first = request_nightly_forecast(now=now, actor=system)
    assert request_nightly_forecast(now=now, actor=system) == first
    assert request_nightly_forecast(now=now + timedelta(days=1), actor=system) != first
    assert Job.objects.count() == NightlyRun.objects.count() == 2


def test_the_day_is_the_organisations(system, settings):
    settings.ORGANISATION_TIME_ZONE = "Pacific/Auckland"
    late = timezone.now().replace(year=2026, month=3, day=1, hour=23)
    assert request_nightly_forecast(now=late, actor=system).day.isoformat() == "2026-03-02"


def test_goes_on_where_a_killed_worker_left_off(rep, system, monkeypatch):
    make_deal(owner=rep, amount=Decimal("10.00"), expected_close_date=today())
    run = request_nightly_forecast(now=timezone.now(), actor=system)
    steps = []

    class Killed(BaseException):
        """What a worker sees of kill -9: nothing more."""

    def kill_in_the_third(*arguments, **named):
        steps.append(1)
        take(*arguments, **named)
        if len(steps) == 3:
            raise Killed

    take = computation.take_snapshots
    monkeypatch.setattr(computation, "take_snapshots", kill_in_the_third)
    with pytest.raises(Killed):
        run_job(run.job_id)
    nodes = ForecastSnapshot.objects.values("node_id").distinct().count()
    assert ForecastSnapshot.objects.count() == 2 * nodes
    run_job(run.job_id)
    job = Job.objects.get(pk=run.job_id)
    assert (job.status, job.position, job.succeeded) == ("completed", 7, 5 * nodes)
    assert ForecastSnapshot.objects.count() == 5 * nodes
    assert not ForecastSnapshot.objects.filter(is_current=False).exists()


def test_sends_each_reader_what_they_may_see(rep, manager, outsider, mailoutbox, deliver_events):
    make_deal(owner=rep, amount=Decimal("1000.00"), expected_close_date=today())
    make_deal(owner=outsider, amount=Decimal("777.00"), expected_close_date=today())
    beside = UserFactory(role=Role.SALES_MANAGER)
    UserFactory(role=Role.SALES_MANAGER, is_active=False)
    deliver_events()
    for _ in range(2):
        compute_nightly_forecasts()
        deliver_events()
    assert sorted(one.to[0] for one in mailoutbox) == sorted([manager.email, beside.email])
    (told,) = (one for one in mailoutbox if one.to == [manager.email])
    quarter = periods_open_at(timezone.now())[1].key
    assert told.subject == f"Forecast of {today()}: 200 USD for {quarter}"
    assert told.extra_headers["Message-ID"].startswith(f"<forecast-{today()}-{manager.pk}@")
    lines = told.body.splitlines()
    assert f"{'Open':<24}{'1,000.00':>18}" in lines
    assert f"{'New (1)':<24}{'+200.00':>18}" in lines
    assert any(one.startswith("Rex Rep") and "200.00" in one for one in lines)
    assert "777" not in "".join(one.body for one in mailoutbox)


def test_goes_on_when_no_mail_server_answers(rep, manager, monkeypatch, deliver_events):
    def refuse(self):
        raise ConnectionRefusedError

    monkeypatch.setattr(EmailMessage, "send", refuse)
    compute_nightly_forecasts()
    deliver_events()
    job = Job.objects.get()
    assert (job.status, job.progress, job.failed) == ("completed_with_errors", 100, 1)
    assert job.errors == [{"user_id": str(manager.pk), "message": "The report could not be sent."}]
    assert ForecastSnapshot.objects.filter(kind="nightly", is_current=True).exists()


def test_sends_none_to_whoever_lost_the_right_meanwhile(
    rep, manager, system, mailoutbox, deliver_events
):
    run = request_nightly_forecast(now=timezone.now(), actor=system)
    assert run.job.parameters["readers"] == [str(manager.pk)]
    User.objects.filter(pk=manager.pk).update(role=Role.SALES_REP)
    forget_standings()
    run_job(run.job_id)
    assert mailoutbox == []
    assert Job.objects.get().status == "completed"


def test_nobody_is_meant_where_no_mail_leaves(manager, system, settings):
    settings.EMAIL_BACKEND = NOWHERE
    run = request_nightly_forecast(now=timezone.now(), actor=system)
    assert (run.job.parameters["readers"], run.job.total) == ([], 6)


def test_refuses_who_may_not(acting, manager):
    with pytest.raises(NotAllowed):
        request_nightly_forecast(now=timezone.now(), actor=acting(manager))
    assert not NightlyRun.objects.exists()
    assert not Job.objects.exists()


# --- Two at once ------------------------------------------------------------------------------


def at_once(*acts):
    """Runs all at the same time."""
    start = threading.Barrier(len(acts))
    failures = []

    def run(act):
        start.wait()
        try:
            act()
        except Exception as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not failures


@pytest.mark.django_db(transaction=True)
def test_two_clocks_at_once_start_one_run():
    at_once(compute_nightly_forecasts, compute_nightly_forecasts, compute_nightly_forecasts)
    assert NightlyRun.objects.count() == Job.objects.count() == 1
    assert BusinessEvent.objects.filter(name="job.requested").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_computations_at_once_leave_one_current_forecast(rep):
    default_pipeline()
    system = system_actor(door="test")
    deal = make_deal(owner=rep, amount=Decimal("10.00"), expected_close_date=today())
    at_once(
        lambda: computation.compute_forecasts(actor=system, periods=[this_year()]),
        lambda: computation.recompute_affected(opportunity_ids=[deal.pk], actor=system),
        lambda: computation.compute_forecasts(actor=system, periods=[this_year()]),
        lambda: computation.recompute_affected(opportunity_ids=[deal.pk], actor=system),
    )
    current = ForecastSnapshot.objects.get(node_id=rep.pk, period=this_year().key, is_current=True)
    assert current.open_amount == Decimal("10.00")
    latest = ForecastSnapshot.objects.filter(node_id=rep.pk, period=this_year().key)
    assert latest.order_by("-taken_at").first() == current
