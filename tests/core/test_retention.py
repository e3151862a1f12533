"""Retention: exactly what is due goes, however often and however rudely the night is broken off."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from celery.schedules import crontab
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.core import retention
from apps.core.errors import InvalidInput, NotAllowed, NotFound
from apps.core.identifiers import new_id
from apps.core.jobs import request_job
from apps.core.journal import JOURNAL
from apps.core.models import EventDelivery, IdempotencyKey, Job, RetentionRule
from apps.core.partitions import make_month, months_of
from apps.core.retention import (
    days_kept,
    everything_kept,
    forget_what_is_due,
    keep_for,
)
from apps.core.tasks import forget_what_is_old
from apps.forecasts.models import NightlyRun
from apps.leads.models import LeadImport, LeadImportRow
from salesplatform.celery import app

NOW = timezone.now()
LONG_AGO = date(2019, 2, 1)


def key_of(age):
    return IdempotencyKey.objects.create(
        actor_id=new_id(),
        key="k",
        request_digest="d",
        status=201,
        answer={},
        created_at=NOW - age,
    )


def job_of(age, status, system):
    with transaction.atomic():
        job = request_job("test.none", parameters={}, actor=system)
    finished_at = None if status in ("pending", "running") else NOW - age
    Job.objects.filter(pk=job.pk).update(
        status=status, finished_at=finished_at, created_at=NOW - age
    )
    return job


def delivery_of(age, *, is_dead):
    moment = NOW - age
    return EventDelivery.objects.create(
        event_sequence=1,
        subscriber=str(new_id()),
        aggregate_id=new_id(),
        lane=0,
        occurred_at=moment,
        available_at=moment,
        dead_at=moment if is_dead else None,
    )


def test_keys_go_after_two_days_and_not_a_moment_earlier(db):
    key_of(timedelta(days=2, seconds=1))
    stays = key_of(timedelta(days=2) - timedelta(seconds=1))
    assert forget_what_is_due("core", now=NOW) == {
        "core.idempotency_keys": 1,
        "core.imports": 0,
        "core.jobs": 0,
    }
    assert list(IdempotencyKey.objects.all()) == [stays]
    assert forget_what_is_due("core", now=NOW)["core.idempotency_keys"] == 0
    assert list(IdempotencyKey.objects.all()) == [stays]


def test_only_jobs_that_ended_long_ago_and_that_nothing_refers_to_go(system, db):
    old, young = timedelta(days=91), timedelta(days=89)
    for status in Job.ENDED:
        job_of(old, status, system)
    stay = {
        job_of(old, "pending", system).pk,
        job_of(old, "running", system).pk,
        job_of(young, "completed", system).pk,
        job_of(old, "failed", system).pk,
    }
    referred = Job.objects.filter(status="failed").latest("created_at", "id")
    NightlyRun.objects.create(day=date(2019, 1, 1), job=referred)
    assert forget_what_is_due("core", now=NOW)["core.jobs"] == len(Job.ENDED)
    assert set(Job.objects.values_list("pk", flat=True)) == stay
    assert forget_what_is_due("core", now=NOW)["core.jobs"] == 0

    assert forget_what_is_due("forecasts", now=NOW)["forecasts.nightly_runs"] == 1
    assert forget_what_is_due("core", now=NOW)["core.jobs"] == 1
    assert not Job.objects.filter(pk=referred.pk).exists()


def test_many_batches_and_a_night_that_is_broken_off(db, monkeypatch):
    at_most = retention.Rows.__init__
    monkeypatch.setattr(retention.Rows, "__init__", lambda self, due: at_most(self, due, at_once=3))
    for _ in range(10):
        key_of(timedelta(days=5))
    stays = key_of(timedelta(days=1))

    class Killed(BaseException):
        """What a worker sees of kill -9: nothing more."""

    batches = []
    forget = retention.Rows._forget

    def killed_in_the_third(self, keys):
        batches.append(keys)
        if len(batches) == 3:
            raise Killed
        return forget(self, keys)

    monkeypatch.setattr(retention.Rows, "_forget", killed_in_the_third)
    with pytest.raises(Killed):
        forget_what_is_due("core", now=NOW)
    assert IdempotencyKey.objects.count() == 5
    assert forget_what_is_due("core", now=NOW)["core.idempotency_keys"] == 4
    assert list(IdempotencyKey.objects.all()) == [stays]


def test_what_fails_holds_up_nothing_else(db, monkeypatch, caplog):
    def broken(before):
        raise ValueError("broken")

    monkeypatch.setitem(
        retention._declared, "core.broken", retention.Kept("core.broken", "Broken", 1, broken)
    )
    key_of(timedelta(days=5))
    forgotten = forget_what_is_due("core", now=NOW)
    assert forgotten == {
        "core.idempotency_keys": 1,
        "core.imports": 0,
        "core.jobs": 0,
    }
    assert "core.broken could not be forgotten" in caplog.text


def imported(age, system, *, undone=None, status="completed"):
    job = job_of(age, status, system)
    name = default_storage.save("imports/test", ContentFile(b"email\nada@acme.example\n"))
    found = LeadImport.objects.create(
        job=job,
        undo_job=undone and job_of(undone, "completed", system),
        filename="leads.csv",
        file=name,
        columns=["email"],
        mapping={},
        mode="apply",
        match_on="email",
    )
    LeadImportRow.objects.create(lead_import=found, line=2, outcome="created")
    return found


def test_files_go_with_their_rows_and_jobs_once_nobody_would_take_them_back(system, db):
    old, young = timedelta(days=91), timedelta(days=89)
    go = [imported(old, system), imported(old, system, undone=old)]
    stay = [
        imported(young, system),
        imported(old, system, undone=young),
        imported(old, system, status="running"),
    ]
    default_storage.delete(go[0].file)
    forgotten = forget_what_is_due("core", now=NOW)
    assert (forgotten["core.imports"], forgotten["core.jobs"]) == (2, 3)
    assert set(LeadImport.objects.all()) == set(stay)
    assert {row.lead_import for row in LeadImportRow.objects.all()} == set(stay)
    assert not any(default_storage.exists(one.file) for one in go)
    assert all(default_storage.exists(one.file) for one in stay)
    assert forget_what_is_due("core", now=NOW)["core.imports"] == 0
    for one in stay:
        default_storage.delete(one.file)


# --- Rules as data ----------------------------------------------------------------------------


def test_the_latest_rule_in_effect_counts(system, db):
    assert days_kept()["core.idempotency_keys"] == 2
    keep_for(name="core.idempotency_keys", days=30, actor=system)
    keep_for(name="core.idempotency_keys", days=7, actor=system)
    RetentionRule.objects.create(
        name="core.idempotency_keys",
        days=1,
        effective_from=timezone.now() + timedelta(days=1),
        set_by_id=system.id,
    )
    assert days_kept()["core.idempotency_keys"] == 7
    key_of(timedelta(days=8))
    stays = key_of(timedelta(days=6))
    forget_what_is_old()
    assert list(IdempotencyKey.objects.all()) == [stays]


def test_what_is_kept_for_good_stays(system, db):
    keep_for(name="core.idempotency_keys", days=None, actor=system)
    key_of(timedelta(days=4000))
    delivery_of(timedelta(days=4000), is_dead=True)
    make_month(JOURNAL, LONG_AGO)
    assert forget_what_is_due("core", now=NOW) == {"core.imports": 0, "core.jobs": 0}
    assert IdempotencyKey.objects.count() == EventDelivery.objects.count() == 1
    assert LONG_AGO in months_of(JOURNAL)


def test_refuses_whoever_may_not_and_what_makes_no_sense(acting, manager, system):
    with pytest.raises(NotAllowed):
        keep_for(name="core.jobs", days=1, actor=acting(manager))
    with pytest.raises(NotFound):
        keep_for(name="core.nothing", days=1, actor=system)
    for days in (0, -1, RetentionRule.LONGEST + 1):
        with pytest.raises(InvalidInput):
            keep_for(name="core.jobs", days=days, actor=system)
    assert not RetentionRule.objects.exists()
    with pytest.raises(IntegrityError), transaction.atomic():
        RetentionRule.objects.create(
            name="core.jobs", days=0, effective_from=NOW, set_by_id=system.id
        )


def test_dead_deliveries_go_when_somebody_says_so_and_waiting_ones_never(system, db):
    keep_for(name="core.dead_deliveries", days=30, actor=system)
    delivery_of(timedelta(days=31), is_dead=True)
    stay = {
        delivery_of(timedelta(days=31), is_dead=False).pk,
        delivery_of(timedelta(days=29), is_dead=True).pk,
    }
    assert forget_what_is_due("core", now=NOW)["core.dead_deliveries"] == 1
    assert set(EventDelivery.objects.values_list("pk", flat=True)) == stay


def test_old_months_leave_the_journal_when_somebody_says_so_unless_they_are_waited_for(system, db):
    for month in (LONG_AGO, date(2019, 3, 1), date(2020, 2, 1)):
        make_month(JOURNAL, month)
    keep_for(name="core.journal", days=365, actor=system)
    delivery_of(NOW - datetime(2019, 3, 5, tzinfo=UTC), is_dead=True)
    now = datetime(2020, 4, 1, tzinfo=UTC)
    assert forget_what_is_due("core", now=now)["core.journal"] == 1
    assert months_of(JOURNAL)[:2] == [date(2019, 3, 1), date(2020, 2, 1)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM core_businessevent_2019_02")
        assert cursor.fetchone() == (0,)


# --- The command line and the clock -----------------------------------------------------------


def test_the_command_line_shows_what_would_go_and_nothing_goes(db, capsys):
    key_of(timedelta(days=5))
    call_command("retention")
    told = {line.split()[0]: line.split()[1:5] for line in capsys.readouterr().out.splitlines()}
    assert set(told) == {one.name for one in everything_kept()}
    assert told["core.idempotency_keys"] == ["2", "days", "1", "due"]
    assert told["core.journal"][:3] == ["kept", "for", "good"]
    assert IdempotencyKey.objects.count() == 1

    call_command("retention", forget=True)
    assert "core.idempotency_keys" in capsys.readouterr().out
    assert not IdempotencyKey.objects.exists()


def test_the_command_line_changes_for_how_long(db, capsys):
    call_command("retention", keep=["core.jobs", "30"])
    call_command("retention", keep=["core.idempotency_keys", "always"])
    assert (days_kept()["core.jobs"], days_kept()["core.idempotency_keys"]) == (30, None)
    for name, days in (("core.jobs", "soon"), ("core.jobs", "0"), ("core.none", "3")):
        with pytest.raises(CommandError):
            call_command("retention", keep=[name, days])
    assert RetentionRule.objects.count() == 2


def test_the_clock_forgets_for_every_app_that_keeps_something():
    app.loader.import_default_modules()
    tasks = {entry["task"]: entry for entry in app.conf.beat_schedule.values()}
    for owner in {one.app for one in everything_kept()}:
        entry = tasks[f"apps.{owner}.tasks.forget_what_is_old"]
        assert isinstance(entry["schedule"], crontab)
        assert entry["task"] in app.tasks
    assert "apps.core.tasks.make_months_ahead" in tasks
