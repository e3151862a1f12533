"""Whoever is shown rows about people stands in the access log: once a request, with their ids."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError, Error, InternalError, ProgrammingError, connection, transaction

from apps.accounts.fields import CONTACTS
from apps.core import accesses
from apps.core.access_log import accesses_visible_to, index_months_that_are_over, of_row
from apps.core.accesses import AccessLog, Reader, Reading, access_log, note_access, one_request
from apps.core.errors import NotAllowed, NotFound, Unavailable
from apps.core.models import Access
from apps.core.partitions import kept_by, make_month, month_of
from apps.core.rows.listing import Query
from apps.leads.fields import LEADS
from apps.leads.models import Lead
from tests.factories.accounts import AccountFactory, ContactFactory
from tests.factories.leads import LeadFactory
from tests.factories.users import actor_of

pytestmark = pytest.mark.django_db


def told(entries):
    return [(one.kind, one.reading, sorted(one.row_ids)) for one in entries]


def ids_of(rows):
    return sorted(one.pk for one in rows)


# --- What is noted ------------------------------------------------------------------------------


def test_a_list_leaves_one_entry_with_the_ids_of_its_page(api, admin, read_so_far):
    leads = LeadFactory.create_batch(3)

    answer = api(admin).call("GET", "/leads?limit=2&ordering=created_at", x_request_id="look-1")

    (entry,) = read_so_far()
    assert [str(one) for one in entry.row_ids] == [row["id"] for row in answer.json()["data"]]
    assert sorted(entry.row_ids) == ids_of(leads[:2])
    assert (entry.actor_id, entry.door, entry.request_id) == (admin.pk, "rest", "look-1")
    assert (entry.kind, entry.reading) == ("leads", "listed")
    assert datetime.now(UTC) - entry.read_at < timedelta(minutes=1)


def test_a_single_row_leaves_one_and_what_is_not_found_none(api, admin, read_so_far):
    lead = LeadFactory()
    api(admin).call("GET", f"/leads/{lead.pk}")
    assert told(read_so_far()) == [("leads", "shown", [lead.pk])]

    assert api(admin).call("GET", f"/leads/{uuid4()}").status_code == 404
    assert api(admin).call("GET", "/leads?source=nowhere").json()["data"] == []
    assert read_so_far() == []


def test_an_export_leaves_the_ids_of_all_its_rows(api, admin, read_so_far, monkeypatch):
    monkeypatch.setattr("apps.core.rows.listing.STREAM_BATCH", 2)
    leads = LeadFactory.create_batch(5)
    for ending in ("csv", "xlsx"):
        b"".join(api(admin).call("GET", f"/leads/export.{ending}").streaming_content)
        entries = read_so_far()
        assert {one.reading for one in entries} == {"exported"}
        assert sorted(one for entry in entries for one in entry.row_ids) == ids_of(leads)


def test_a_query_over_graphql_leaves_one_entry_for_each_kind(ask, admin, read_so_far):
    leads = LeadFactory.create_batch(2)
    answer = ask(
        admin,
        "{ leads { nodes { id email metadata } } again: leads(limit: 1) { nodes { email } } }",
    )
    assert not answer.errors
    assert told(read_so_far()) == [("leads", "listed", ids_of(leads))]


def test_rows_that_are_not_about_people_leave_none(api, admin, read_so_far):
    account = AccountFactory()
    api(admin).call("GET", "/accounts")
    assert read_so_far() == []
    contact = ContactFactory(account=account)
    api(admin).call("GET", f"/accounts/{account.pk}/contacts")
    assert told(read_so_far()) == [("contacts", "listed", [contact.pk])]


def test_what_is_out_of_reach_is_not_read(outsider, read_so_far):
    lead = LeadFactory()
    actor = actor_of(outsider)
    assert LEADS.page(actor, Query()).rows == []
    with pytest.raises(NotFound):
        LEADS.one(actor, lead.pk)
    assert CONTACTS.with_ids(actor, [lead.pk]) == []
    assert read_so_far() == []


def test_what_one_request_shows_twice_is_told_once(system, read_so_far):
    one, other = uuid4(), uuid4()
    with one_request():
        note_access(system, Lead, [one], Reading.LISTED)
        note_access(system, "leads", [other, one], Reading.LISTED)
        note_access(system, Lead, [one], Reading.SHOWN)
        assert not access_log.waiting
    assert [(entry.reading, entry.row_ids) for entry in read_so_far()] == [
        ("listed", [one, other]),
        ("shown", [one]),
    ]


def test_what_a_request_that_fails_has_shown_is_noted_all_the_same(system, read_so_far):
    def fail():
        with one_request():
            note_access(system, Lead, [uuid4()], Reading.LISTED)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(read_so_far()) == 1


# --- Writing ------------------------------------------------------------------------------------


@pytest.fixture
def waiting(system):
    """A log in which entries wait."""
    log = AccessLog()
    log.has_writer = False
    reader = Reader(system.id, "test", "a", "leads", Reading.LISTED)

    def let_wait(count):
        for _ in range(count):
            log.add(reader, [uuid4(), uuid4()])
        return log

    return let_wait


def test_entries_are_written_in_batches_in_their_order(waiting, monkeypatch):
    monkeypatch.setattr(accesses, "AT_ONCE", 2)
    log = waiting(5)
    noted = [entry[2] for entry in log.waiting]
    assert [log.write(), log.write(), log.write(), log.write()] == [2, 2, 1, 0]
    written = Access.objects.order_by("sequence")
    assert [f"{{{','.join(map(str, one.row_ids))}}}" for one in written] == noted
    assert (log.written, log.seconds_behind) == (5, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("was_committed", [True, False])
def test_an_end_that_nobody_heard_of_is_asked_about(waiting, monkeypatch, was_committed):
    log = waiting(3)
    real = transaction.Atomic.__exit__

    def breaks(self, *failure):
        real(self, *(failure if was_committed else (DatabaseError, DatabaseError(), None)))
        raise DatabaseError("the connection is gone")

    with monkeypatch.context() as patched:
        patched.setattr(transaction.Atomic, "__exit__", breaks)
        assert log._try_to_write() is False
    assert len(log.waiting) == 3

    assert log._try_to_write() is True
    assert Access.objects.count() == 3
    assert log.written == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", ["another's", "never written down"])
def test_a_number_that_a_killed_server_forgot_does_not_stand_for_the_batch(waiting, number):
    log = waiting(3)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        given = cursor.fetchone()[0]
    log._unsure = given if number == "another's" else given + 1_000_000, 3

    assert log._try_to_write() is True
    assert Access.objects.count() == 3
    assert (log.written, len(log.waiting)) == (3, 0)


def test_a_batch_that_is_still_being_written_is_waited_for(waiting):
    log = waiting(3)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        log._unsure = cursor.fetchone()[0], 3
        with pytest.raises(Error, match="still being written"):
            log.write()
    assert len(log.waiting) == 3


def test_when_too_many_wait_nothing_is_shown_before_they_are_written(waiting, monkeypatch):
    monkeypatch.setattr(accesses, "MOST_WAITING", 3)
    monkeypatch.setattr(accesses, "PATIENCE_SECONDS", 0.1)
    log = waiting(3)
    with pytest.raises(Unavailable):
        log.make_room()
    assert len(log.waiting) == 3
    log.write()
    log.make_room()


def test_what_can_not_be_written_before_the_end_goes_into_the_log(waiting, monkeypatch, caplog):
    monkeypatch.setattr(accesses, "PATIENCE_SECONDS", 0.1)
    log = waiting(2)
    noted = [entry[2] for entry in log.waiting]
    monkeypatch.setattr(log, "write", _fails)
    monkeypatch.setattr(connection, "close", lambda: None)
    log.finish()
    told_of = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    assert len(told_of) == 2
    assert all(ids in line for ids, line in zip(noted, told_of, strict=True))
    assert not log.waiting


def _fails():
    raise DatabaseError("away")


def test_a_forked_process_takes_nothing_of_its_parents_along(system):
    note_access(system, Lead, [uuid4()], Reading.LISTED)
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(sender, str(len(access_log.waiting)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(receiver, 10) == b"0"
    assert len(access_log.waiting) == 1
    os.close(receiver)
    os.close(sender)


def test_many_who_note_at_once_lose_nothing(system):
    def read():
        for _ in range(200):
            with one_request():
                note_access(system, Lead, [uuid4()], Reading.LISTED)

    readers = [threading.Thread(target=read) for _ in range(8)]
    for one in readers:
        one.start()
    for one in readers:
        one.join()
    assert access_log.write() == 1000
    assert access_log.write() == 600
    assert Access.objects.count() == 1600


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE core_access SET door = 'x'",
        "DELETE FROM core_access",
        "TRUNCATE core_access",
    ],
)
def test_nobody_alters_what_was_written(system, read_so_far, statement):
    note_access(system, Lead, [uuid4()], Reading.LISTED)
    read_so_far()
    with (
        pytest.raises((ProgrammingError, InternalError), match="written once"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"SET LOCAL salesplatform.may_truncate = ''; {statement}")
    assert Access.objects.count() == 1


# --- Reading the log ----------------------------------------------------------------------------


def test_the_log_is_for_those_who_may(admin, manager):
    with pytest.raises(NotAllowed):
        accesses_visible_to(actor_of(manager))
    assert accesses_visible_to(actor_of(admin)).count() == 0


def test_who_read_a_row_is_found_in_every_month(admin, system, read_so_far):
    lead = uuid4()
    long_ago = datetime(2019, 2, 3, tzinfo=UTC)
    make_month(kept_by(Access), month_of(long_ago.date()))
    Access.objects.create(
        read_at=long_ago,
        actor_id=admin.pk,
        door="rest",
        request_id="old",
        kind="leads",
        reading="shown",
        row_ids=[uuid4(), lead],
    )
    assert index_months_that_are_over() == ["core_access_2019_02_by_row"]
    assert index_months_that_are_over() == []
    note_access(system, Lead, [lead, uuid4()], Reading.LISTED)
    note_access(system, Lead, [uuid4()], Reading.LISTED)
    read_so_far()

    found = of_row(accesses_visible_to(actor_of(admin)), lead)
    assert [one.request_id for one in found] == [system.request_id, "old"]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "core_access_2019_02_by_row" in found.explain()
