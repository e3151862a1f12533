"""Tables kept by month: split with the rows they have, and never in the way of a write."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from uuid import uuid4

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core.errors import NotFound, RuleBroken
from apps.core.identifiers import made_at, new_id
from apps.core.jobs import JobRequested
from apps.core.journal import deliver, detach_journal_month, history_of, publish
from apps.core.metrics import partition_troubles
from apps.core.models import BusinessEvent, EventDelivery
from apps.core.partitions import (
    MONTHS_AHEAD,
    detach_month,
    kept_by,
    make_month,
    month_of,
    months_of,
    prepare_months,
    troubles,
)
from apps.core.tasks import make_months_ahead

JOURNAL = kept_by(BusinessEvent)
THIS_MONTH = month_of(datetime.now(UTC).date())
LONG_AGO = date(2019, 2, 1)


def ask(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else None


def tell(moment, aggregate_id=None, event_id=None):
    """An event that the journal got at some moment."""
    event = BusinessEvent.objects.create(
        event_id=event_id or new_id(),
        name="job.requested",
        topic="sales.jobs",
        aggregate_id=aggregate_id or new_id(),
        occurred_at=moment,
        actor_id=new_id(),
        door="test",
        correlation_id="",
        payload={"job_id": str(new_id()), "kind": "none"},
    )
    event.refresh_from_db()
    return event


def partition_of(event):
    found = ask(
        "SELECT tableoid::regclass::text FROM core_businessevent WHERE sequence = %s", event.pk
    )
    return found[0][0]


def plan(sql, *parameters):
    return "\n".join(line for (line,) in ask(f"EXPLAIN {sql}", *parameters))


# --- Splitting a table that has rows ------------------------------------------------------------

_OLD_ROWS = """
INSERT INTO core_businessevent
    (event_id, name, version, topic, aggregate_id, occurred_at, actor_id, door, correlation_id,
     payload)
SELECT uuidv7(), 'lead.created', '1.0', 'sales.leads', uuidv7(), moment, uuidv7(), 'api', 'x',
       jsonb_build_object('number', position)
FROM unnest(%s::timestamptz[]) WITH ORDINALITY AS t(moment, position)
"""
_SUM = """
SELECT count(*), md5(string_agg(e::text, '|' ORDER BY sequence)) FROM (
    SELECT sequence, event_id, name, aggregate_id, occurred_at, actor_id, payload
    FROM core_businessevent) e
"""


@pytest.fixture
def old_shape(db):
    """The journal and its deliveries as they were before they were kept by month."""
    state = MigrationLoader(connection).project_state(("core", "0001_initial"))
    ask("DROP TABLE core_businessevent, core_eventdelivery")
    with connection.schema_editor() as editor:
        for name in ("BusinessEvent", "EventDelivery"):
            editor.create_model(state.apps.get_model("core", name))
    return state


def split(state):
    migration = import_module("apps.core.migrations.0002_journal_by_month").Migration
    with connection.schema_editor(atomic=True) as editor:
        migration("0002_journal_by_month", "core").apply(state, editor)


def test_a_journal_with_rows_is_split_without_losing_any(old_shape, system):
    edges = [
        "2024-01-31T23:59:59.999999Z",
        "2024-02-01T00:00:00Z",
        "2024-02-01T01:00:00+02:00",
        datetime.now(UTC).isoformat(),
    ]
    ask(_OLD_ROWS, edges)
    ask(
        "INSERT INTO core_eventdelivery (event_sequence, subscriber, aggregate_id, lane)"
        " SELECT sequence, 'core.start_job', aggregate_id, 0 FROM core_businessevent"
    )
    (before,) = ask(_SUM)
    assert before[0] == 4

    split(old_shape)

    assert ask(_SUM) == [before]
    assert [partition_of(one) for one in BusinessEvent.objects.order_by("sequence")] == [
        "core_businessevent_2024_01",
        "core_businessevent_2024_02",
        "core_businessevent_2024_01",
        JOURNAL.partition(THIS_MONTH),
    ]
    ahead = [month_of(THIS_MONTH, later=later) for later in range(MONTHS_AHEAD + 1)]
    assert months_of(JOURNAL) == [date(2024, 1, 1), date(2024, 2, 1), *ahead]
    assert troubles() == []
    assert tell(datetime.now(UTC)).pk == 5
    assert not EventDelivery.objects.exclude(
        occurred_at__in=BusinessEvent.objects.values("occurred_at")
    ).exists()
    assert ask(
        "SELECT indexname, split_part(indexdef, 'btree ', 2) FROM pg_indexes"
        " WHERE tablename = 'core_businessevent' ORDER BY 1"
    ) == [
        ("core_businessevent_pkey", "(sequence, occurred_at)"),
        ("journal_by_aggregate", "(aggregate_id, sequence)"),
        ("journal_by_name", "(name, sequence DESC)"),
    ]


def test_an_empty_journal_is_split_too(old_shape):
    split(old_shape)
    assert months_of(JOURNAL)[0] == THIS_MONTH
    assert tell(datetime.now(UTC)).pk == 1


@pytest.mark.django_db(transaction=True)
def test_whoever_splits_gives_up_soon_when_others_are_at_work(monkeypatch):
    monkeypatch.setattr("apps.core.partitions._PATIENCE", "SET LOCAL lock_timeout = '50ms'")
    parameters = connection.get_connection_params()
    parameters.pop("cursor_factory", None)
    parameters.pop("context", None)
    with psycopg.connect(**parameters) as other:
        other.execute("LOCK TABLE core_businessevent IN ROW EXCLUSIVE MODE")
        with pytest.raises(OperationalError):
            detach_month(JOURNAL, THIS_MONTH)
        assert prepare_months() == []
    assert THIS_MONTH in months_of(JOURNAL)


# --- Months -------------------------------------------------------------------------------------


def test_a_write_whose_month_is_missing_never_fails_and_moves_into_it_later(db):
    early = tell(datetime(2019, 1, 31, 23, 59, 59, 999999, UTC))
    first = tell(datetime(2019, 2, 1, tzinfo=UTC))
    last = tell(datetime(2019, 2, 28, 23, 59, 59, 999999, UTC))
    assert {partition_of(one) for one in (early, first, last)} == {JOURNAL.default}

    assert make_month(JOURNAL, LONG_AGO)

    assert [partition_of(one) for one in (early, first, last)] == [
        JOURNAL.default,
        "core_businessevent_2019_02",
        "core_businessevent_2019_02",
    ]
    assert not make_month(JOURNAL, LONG_AGO)
    assert BusinessEvent.objects.count() == 3


def test_an_event_id_is_there_once(db):
    make_month(JOURNAL, LONG_AGO)
    known = tell(datetime(2019, 2, 3, tzinfo=UTC))
    with pytest.raises(IntegrityError), transaction.atomic():
        tell(datetime(2019, 2, 4, tzinfo=UTC), event_id=known.event_id)
    assert BusinessEvent.objects.count() == 1


def test_the_clock_makes_what_is_missing_and_nothing_twice(db):
    last = month_of(THIS_MONTH, later=MONTHS_AHEAD)
    ask(f"DROP TABLE {JOURNAL.partition(last)}")
    assert prepare_months() == [JOURNAL.partition(last)]
    assert prepare_months() == []
    assert months_of(JOURNAL)[-1] == last


def test_tells_when_a_month_is_missing_or_rows_wait_for_theirs(db):
    following = month_of(THIS_MONTH, later=1)
    ask(f"DROP TABLE {JOURNAL.partition(following)}")
    tell(datetime(2019, 2, 3, tzinfo=UTC))
    assert troubles() == [
        f"{JOURNAL.partition(following)} is missing",
        f"{JOURNAL.default} holds rows",
    ]
    answer = Client().get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["components"]["months"]["status"] == "down"

    make_month(JOURNAL, LONG_AGO)
    make_months_ahead()
    assert troubles() == []
    assert partition_troubles._value.get() == 0
    assert Client().get("/health").json()["components"]["months"]["status"] == "up"


def test_a_month_ends_where_the_next_one_begins():
    assert month_of(date(2026, 12, 31)) == date(2026, 12, 1)
    assert month_of(date(2026, 12, 31), later=1) == date(2027, 1, 1)
    assert month_of(date(2026, 1, 1), later=26) == date(2028, 3, 1)


# --- Taking a month out -------------------------------------------------------------------------


def test_a_month_that_is_over_leaves_the_journal_with_its_rows(db, capsys):
    make_month(JOURNAL, LONG_AGO)
    tell(datetime(2019, 2, 3, tzinfo=UTC))
    kept = tell(datetime.now(UTC))

    call_command("months", detach="2019-02")

    assert "core_businessevent_2019_02 is out of the journal" in capsys.readouterr().out
    assert LONG_AGO not in months_of(JOURNAL)
    assert list(BusinessEvent.objects.all()) == [kept]
    assert ask("SELECT count(*) FROM core_businessevent_2019_02") == [(1,)]
    with pytest.raises(NotFound):
        detach_journal_month(LONG_AGO)


def test_a_month_stays_while_it_runs_or_somebody_has_to_hear_of_it(db):
    make_month(JOURNAL, LONG_AGO)
    event = tell(datetime(2019, 2, 3, tzinfo=UTC))
    EventDelivery.objects.create(
        event_sequence=event.pk,
        occurred_at=event.occurred_at,
        subscriber="nobody",
        aggregate_id=event.aggregate_id,
        lane=0,
        dead_at=event.occurred_at,
    )
    with pytest.raises(RuleBroken, match="still to hear"):
        detach_journal_month(LONG_AGO)
    with pytest.raises(RuleBroken, match="not over"):
        detach_journal_month(THIS_MONTH)
    for typed in ("2019-02", "2018-01", "2019-13", "soon", f"{THIS_MONTH:%Y-%m}"):
        with pytest.raises(CommandError):
            call_command("months", detach=typed)
    assert {LONG_AGO, THIS_MONTH} <= set(months_of(JOURNAL))


# --- Reading ------------------------------------------------------------------------------------


def test_deliveries_look_into_the_months_of_their_events_alone(system, db):
    for month in range(1, 13):
        make_month(JOURNAL, date(2019, month, 1))
    publish(JobRequested(job_id=new_id(), kind="none"), actor=system)
    with CaptureQueriesContext(connection) as queries:
        assert deliver() == 1
    (looked,) = (one["sql"] for one in queries if "FROM core_businessevent" in one["sql"])
    read = plan(looked)
    assert f"Index Scan using {JOURNAL.partition(THIS_MONTH)}_pkey" in read
    assert "_2019_" not in read
    assert JOURNAL.default not in read


def test_the_history_of_a_record_begins_when_the_record_did(db):
    for month in range(1, 13):
        make_month(JOURNAL, date(2019, month, 1))
    record = new_id()
    told = [tell(datetime.now(UTC) + timedelta(microseconds=number), record) for number in range(3)]
    tell(datetime.now(UTC))
    assert list(history_of(record)) == told[::-1]
    assert "_2019_" not in history_of(record).explain()


def test_a_record_whose_id_tells_no_time_has_its_whole_history(db):
    record = uuid4()
    old = tell(datetime(2019, 2, 3, tzinfo=UTC), record)
    assert made_at(record) is None
    assert list(history_of(record)) == [old]


def test_an_id_tells_when_it_was_made():
    assert abs(made_at(new_id()) - datetime.now(UTC)) < timedelta(seconds=5)
