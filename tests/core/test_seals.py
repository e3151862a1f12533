"""Nobody alters, deletes, adds or reorders sealed history unnoticed, not even a superuser."""

from __future__ import annotations

import threading
import time
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction

from apps.core.accesses import Reading, note_access
from apps.core.actors import system_actor
from apps.core.errors import NotFound, RuleBroken
from apps.core.history import CHANGES, erase_history_of
from apps.core.models import Access, Change, Seal
from apps.core.partitions import bounds_of, make_month, months_of
from apps.core.seals import (
    breaks,
    detach_sealed_month,
    old_accesses,
    old_changes,
    seal_what_is_written,
)
from apps.leads.models import Lead
from tests.factories.leads import LeadFactory

pytestmark = pytest.mark.django_db(transaction=True)


def sql(statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def as_superuser(statement, *parameters):
    """What somebody can do whom no trigger holds."""
    with transaction.atomic():
        sql("SET LOCAL session_replication_role = 'replica'")
        assert sql(statement, *parameters) == 1


def seal_all(model=Change):
    """Seal everything; transactions of other tests on the same server hold it up for a while."""
    until = time.monotonic() + 60
    newest = model.objects.latest("sequence").transaction_number
    while not Seal.objects.filter(until_transaction__gt=newest).exists():
        assert time.monotonic() < until
        seal_what_is_written()
        time.sleep(0.02)


def broken():
    return [(one.number, one.sentence) for one in breaks()]


@pytest.fixture
def sealed():
    """Three seals of two changes each."""
    for _ in range(3):
        with transaction.atomic():
            LeadFactory.create_batch(2)
        seal_all()
    assert list(Seal.objects.order_by("number").values_list("number", "rows")) == [
        (1, 2),
        (2, 2),
        (3, 2),
    ]
    assert broken() == []
    return list(Change.objects.order_by("sequence"))


ALTERATIONS = (
    "after = after || '{\"score\": 99}'",
    "before = '{}'",
    "actor_id = gen_random_uuid()",
    "changed_at = changed_at + interval '1 microsecond'",
    "door = 'api'",
    "request_id = 'x'",
    "action = 'changed'",
    "kind = 'accounts'",
    "salt = gen_random_uuid()",
    "row_id = gen_random_uuid()",
)


def test_a_row_altered_in_any_column_is_found(sealed):
    for assignment in ALTERATIONS:
        with transaction.atomic():
            as_superuser(f"UPDATE core_change SET {assignment} WHERE sequence = %s", sealed[3].pk)
            assert broken() == [(2, f"one of 2 rows was altered (from {sealed[2].pk} on)")]
            transaction.set_rollback(True)


def test_a_deleted_row_is_found(sealed):
    as_superuser("DELETE FROM core_change WHERE sequence = %s", sealed[0].pk)
    assert broken() == [(1, "1 rows instead of 2")]


def test_an_added_row_is_found_wherever_it_is_put(sealed):
    first, *_, last = sealed
    for number, expected in (
        (first.transaction_number, (1, "3 rows instead of 2")),
        (last.transaction_number, (3, "3 rows instead of 2")),
    ):
        with transaction.atomic():
            as_superuser(
                "INSERT INTO core_change"
                " (kind, row_id, action, door, request_id, transaction_number)"
                " VALUES ('leads', gen_random_uuid(), 'removed', '', '', %s)",
                number,
            )
            assert broken() == [expected]
            transaction.set_rollback(True)


def test_reordered_rows_are_found(sealed):
    one, other = sealed[2], sealed[3]
    with transaction.atomic():
        as_superuser("UPDATE core_change SET sequence = -1 WHERE sequence = %s", one.pk)
        as_superuser("UPDATE core_change SET sequence = %s WHERE sequence = %s", one.pk, other.pk)
        as_superuser("UPDATE core_change SET sequence = %s WHERE sequence = -1", other.pk)
    assert [number for number, _ in broken()] == [2]


def test_a_row_moved_into_another_month_is_found(sealed):
    as_superuser(
        "UPDATE core_change SET changed_at = '2019-02-03' WHERE sequence = %s", sealed[0].pk
    )
    assert broken() == [(0, "rows that nobody sealed"), (1, "1 rows instead of 2")]


def test_a_seal_that_was_tampered_with_is_found(sealed):
    for statement, expected in (
        ("DELETE FROM core_seal WHERE number = 2", (2, "the seal itself is missing")),
        ("DELETE FROM core_seal WHERE number = 1", (1, "the seal itself is missing")),
        ("UPDATE core_seal SET rows = 1 WHERE number = 2", (2, "the seal itself was altered")),
        ("UPDATE core_seal SET digest = '' WHERE number = 3", (3, "the seal itself was altered")),
    ):
        with transaction.atomic():
            as_superuser(statement)
            assert broken() == [expected]
            transaction.set_rollback(True)


def test_erasing_a_person_breaks_nothing_and_pretending_to_is_found(sealed):
    victim = sealed[2]
    erase_history_of(kind="leads", row_ids=[victim.row_id], actor=system_actor())
    assert broken() == []
    seal_all()
    assert broken() == []

    as_superuser(
        "UPDATE core_change c SET digest = core_digest_of_values(c), before = NULL, after = NULL,"
        " salt = NULL, erased_at = now() WHERE sequence = %s",
        sealed[3].pk,
    )
    assert broken() == [(2, "a row pretends to have been erased")]


def test_a_digest_that_stands_in_for_other_values_is_found(sealed):
    as_superuser(
        "UPDATE core_change c SET digest = core_digest_of_values(c), after = '{\"score\": 1}'"
        " WHERE sequence = %s",
        sealed[3].pk,
    )
    assert broken() == [(2, "a row pretends to have been erased")]


def test_what_is_erased_before_it_is_sealed_is_sealed_as_it_is():
    lead = LeadFactory()
    erase_history_of(kind="leads", row_ids=[lead.pk], actor=system_actor())
    seal_all()
    assert broken() == []


def test_a_transaction_that_is_still_running_is_left_for_later_and_holds_nobody_up():
    holds, ends = threading.Event(), threading.Event()

    def write_slowly():
        with transaction.atomic():
            LeadFactory()
            holds.set()
            ends.wait(30)
        connection.close()

    slow = threading.Thread(target=write_slowly)
    slow.start()
    assert holds.wait(10)
    quick = LeadFactory()
    assert seal_what_is_written() == 0
    ends.set()
    slow.join()
    seal_all()
    seal_all()
    assert sum(Seal.objects.values_list("rows", flat=True)) == 2
    assert broken() == []
    assert Change.objects.filter(row_id=quick.pk).count() == 1


def test_several_who_seal_at_once_seal_everything_once():
    LeadFactory.create_batch(5)

    def work():
        seal_what_is_written()
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    seal_all()
    assert sum(Seal.objects.values_list("rows", flat=True)) == 5
    assert broken() == []


def test_the_command_prints_the_heads_and_fails_with_the_first_broken_link(sealed, capsys):
    call_command("verify_history")
    head = bytes(Seal.objects.get(number=3).chain).hex()
    month = f"{sealed[0].changed_at:%Y-%m}"
    assert capsys.readouterr().out == f"core_change {month} #3 holds, head {head}\n"

    as_superuser("DELETE FROM core_change WHERE sequence = %s", sealed[0].pk)
    with pytest.raises(CommandError) as failure:
        call_command("verify_history")
    assert str(failure.value) == f"core_change {month}, seal 1: 1 rows instead of 2"


# --- The access log -----------------------------------------------------------------------------


@pytest.fixture
def sealed_accesses(system, read_so_far):
    """Two seals of two entries each."""
    for _ in range(2):
        for _ in range(2):
            note_access(system, Lead, [uuid4(), uuid4()], Reading.LISTED)
        read_so_far()
        seal_all(Access)
    assert list(Seal.objects.values_list("table", "rows")) == [("core_access", 2)] * 2
    assert broken() == []
    return list(Access.objects.order_by("sequence"))


def test_an_entry_of_the_access_log_altered_in_any_column_is_found(sealed_accesses):
    for assignment in (
        "read_at = read_at + interval '1 microsecond'",
        "actor_id = gen_random_uuid()",
        "door = 'x'",
        "request_id = 'x'",
        "kind = 'contacts'",
        "reading = 'shown'",
        "row_ids = row_ids[2:2] || row_ids[1:1]",
        "row_ids = row_ids[1:1]",
    ):
        with transaction.atomic():
            as_superuser(
                f"UPDATE core_access SET {assignment} WHERE sequence = %s", sealed_accesses[3].pk
            )
            assert broken() == [(2, f"one of 2 rows was altered (from {sealed_accesses[2].pk} on)")]
            transaction.set_rollback(True)


def test_an_entry_taken_out_of_the_access_log_is_found(sealed_accesses):
    as_superuser("DELETE FROM core_access WHERE sequence = %s", sealed_accesses[0].pk)
    assert broken() == [(1, "1 rows instead of 2")]


# --- Months that were detached ------------------------------------------------------------------

OLD, OLDER = date(2019, 2, 1), date(2019, 1, 1)
JANUARY, FEBRUARY = CHANGES.partition(OLDER), CHANGES.partition(OLD)


@pytest.fixture
def old_lead():
    """A lead of which two sealed months of long ago tell."""
    row_id = uuid4()
    for month in (OLDER, OLD):
        make_month(CHANGES, month)
        Change.objects.create(
            changed_at=bounds_of(month)[0],
            kind="leads",
            row_id=row_id,
            action="changed",
            after={"email": "a@b.example"},
            door="",
            request_id="",
            transaction_number=sql("SELECT pg_current_xact_id()::text::bigint")[0][0],
        )
    seal_all()
    yield row_id
    for month in (OLDER, OLD):
        sql(f"DROP TABLE IF EXISTS {CHANGES.partition(month)}")


def test_a_detached_month_is_verified_beside_its_table(old_lead, capsys):
    call_command("months", detach="2019-01", of="history")
    assert f"{JANUARY} is out of the history" in capsys.readouterr().out
    assert Change.objects.filter(row_id=old_lead).count() == 1
    assert broken() == []

    with transaction.atomic():
        as_superuser(f"UPDATE {JANUARY} SET door = 'x'")
        assert broken() == [(1, f"one of 1 rows was altered (from {first_in(JANUARY)} on)")]
        transaction.set_rollback(True)
    with transaction.atomic():
        as_superuser(f"DELETE FROM {JANUARY}")
        assert broken() == [(1, "0 rows instead of 1")]
        transaction.set_rollback(True)


def first_in(table):
    return sql(f"SELECT min(sequence) FROM {table}")[0][0]


def test_rows_put_into_a_detached_month_are_found(old_lead):
    detach_sealed_month(CHANGES, OLDER)
    Change.objects.create(
        changed_at=bounds_of(OLDER)[0],
        kind="leads",
        row_id=old_lead,
        action="changed",
        door="",
        request_id="",
        transaction_number=1,
    )
    assert broken() == [(1, "rows were put in after it")]


def test_a_detached_month_is_still_written_once(old_lead):
    detach_sealed_month(CHANGES, OLDER)
    for statement in (f"UPDATE {JANUARY} SET door = 'x'", f"DELETE FROM {JANUARY}"):
        with pytest.raises(ProgrammingError, match="written once"):
            sql(statement)
    assert sql(f"SELECT door FROM {JANUARY}") == [("",)]


def test_erasing_reaches_detached_months(old_lead):
    detach_sealed_month(CHANGES, OLDER)
    assert erase_history_of(kind="leads", row_ids=[old_lead], actor=system_actor()) == 2
    assert sql(f"SELECT after FROM {JANUARY}") == [(None,)]
    assert broken() == []
    seal_all()
    detach_sealed_month(CHANGES, OLD)
    assert broken() == []


def test_a_month_that_was_taken_away_is_named(old_lead, capsys):
    detach_sealed_month(CHANGES, OLDER)
    sql(f"DROP TABLE {JANUARY}")
    assert broken() == []
    call_command("verify_history")
    assert "core_change 2019-01 was taken away and is not verified" in capsys.readouterr().out


def test_months_leave_the_oldest_first_and_only_sealed(old_lead):
    with pytest.raises(RuleBroken, match="older month"):
        detach_sealed_month(CHANGES, OLD)
    with pytest.raises(RuleBroken, match="not over"):
        detach_sealed_month(CHANGES, months_of(CHANGES)[-1])
    with pytest.raises(NotFound):
        detach_sealed_month(CHANGES, date(2018, 1, 1))
    with transaction.atomic():
        sql("SET LOCAL session_replication_role = 'replica'")
        sql("DELETE FROM core_seal")
        with pytest.raises(RuleBroken, match="not sealed"):
            detach_sealed_month(CHANGES, OLDER)
        transaction.set_rollback(True)
    assert months_of(CHANGES)[:2] == [OLDER, OLD]


def test_months_that_were_kept_long_enough_leave_by_night(old_lead):
    february = datetime(2019, 2, 15, tzinfo=UTC)
    assert old_changes(february).count() == 1
    assert old_changes(february).forget() == 1
    assert months_of(CHANGES)[0] == OLD
    assert old_accesses(february).count() == 0
    assert broken() == []
