"""The database engine: fewer messages, and never another order, another name or a lost failure."""

from __future__ import annotations

from contextlib import contextmanager

import psycopg
import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from apps.core.actors import system_actor
from apps.core.commands import acting
from apps.core.database import prepared_cursor, send_along
from apps.core.database.base import Cursor, DatabaseWrapper
from apps.core.models import Change
from apps.users.models import User
from tests.factories.users import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

RENAME = "UPDATE users_user SET name = %s WHERE id = %s"
TAKE_ADDRESS = "UPDATE users_user SET email = %s WHERE id = %s"


@contextmanager
def messages(monkeypatch):
    """What goes over the connection meanwhile."""
    sent = []
    ask, send = Cursor._execute_send, DatabaseWrapper._send

    def asked(self, query, **options):
        sent.append(query.query.decode())
        return ask(self, query, **options)

    def told(self, message):
        sent.append(message)
        return send(self, message)

    with monkeypatch.context() as patch:
        patch.setattr(Cursor, "_execute_send", asked)
        patch.setattr(DatabaseWrapper, "_send", told)
        yield sent


@contextmanager
def atomically(sql, parameters):
    """A transaction in which a statement waits already."""
    with transaction.atomic():
        send_along(sql, parameters)
        yield


def name_of(user: User) -> str:
    return User.objects.values_list("name", flat=True).get(pk=user.pk)


def ask(sql: str):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def end(pid: int) -> None:
    """Have the server end a connection."""
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_a_transaction_begins_with_its_first_statement_and_writes_go_with_the_commit(monkeypatch):
    user = UserFactory(name="Ann")
    with messages(monkeypatch) as sent, transaction.atomic():
        assert ask("SELECT 1") == [(1,)]
        send_along(RENAME, ["100 % Ann; --", user.pk])
        assert len(sent) == 1
    assert [one.split()[0] for one in sent] == ["BEGIN;", "UPDATE"]
    assert sent[1].endswith("COMMIT")
    assert name_of(user) == "100 % Ann; --"


def test_a_savepoint_whose_statements_were_heard_ends_with_the_next_one(monkeypatch):
    user = UserFactory(name="Ann")
    with messages(monkeypatch) as sent, transaction.atomic():
        with transaction.atomic(), transaction.atomic():
            assert name_of(user) == "Ann"
        send_along(RENAME, ["Bea", user.pk])
    assert [one.split()[0] for one in sent] == ["BEGIN;", "RELEASE"]
    assert sent[1].count("RELEASE") == 2
    assert sent[1].endswith("COMMIT")
    assert name_of(user) == "Bea"


def test_the_next_statement_sees_what_waited(monkeypatch):
    user = UserFactory(name="Ann")
    with transaction.atomic():
        send_along(RENAME, ["Bea", user.pk])
        send_along(RENAME, ["Cay", user.pk])
        assert name_of(user) == "Cay"
        assert User.objects.filter(pk=user.pk).update(role="admin") == 1
    assert name_of(user) == "Cay"


def test_a_transaction_of_nothing_says_nothing(monkeypatch):
    with messages(monkeypatch) as sent, transaction.atomic(), transaction.atomic():
        pass
    assert sent == []


def test_outside_of_a_transaction_nothing_waits():
    user = UserFactory(name="Ann")
    send_along(RENAME, ["Bea", user.pk])
    assert connection.waiting == []
    assert name_of(user) == "Bea"


def test_what_waited_is_taken_back_with_its_transaction():
    user = UserFactory(name="Ann")
    with transaction.atomic():
        send_along(RENAME, ["Bea", user.pk])
        transaction.set_rollback(True)
    assert name_of(user) == "Ann"


@pytest.mark.parametrize("was_heard", [False, True])
def test_what_waited_is_taken_back_with_its_savepoint(was_heard):
    user = UserFactory(name="Ann")
    with transaction.atomic():
        send_along(RENAME, ["Bea", user.pk])
        with transaction.atomic():
            send_along(RENAME, ["Cay", user.pk])
            if was_heard:
                assert name_of(user) == "Cay"
                send_along(RENAME, ["Dot", user.pk])
            transaction.set_rollback(True)
        assert name_of(user) == "Bea"
    assert name_of(user) == "Bea"


def test_what_a_write_violates_is_raised_at_the_end_of_its_savepoint():
    ann, bea = UserFactory(name="Ann"), UserFactory(name="Bea")
    with transaction.atomic():
        with pytest.raises(IntegrityError), transaction.atomic():
            send_along(TAKE_ADDRESS, [ann.email, bea.pk])
        send_along(RENAME, ["Cay", bea.pk])
    before = bea.email
    bea.refresh_from_db()
    assert (bea.name, bea.email) == ("Cay", before)


def test_what_a_write_violates_is_raised_with_the_commit_and_leaves_nothing():
    ann, bea = UserFactory(name="Ann"), UserFactory(name="Bea")
    renamed = atomically(RENAME, ["Cay", ann.pk])
    with pytest.raises(IntegrityError), renamed:
        send_along(TAKE_ADDRESS, [ann.email, bea.pk])
    assert name_of(ann) == "Ann"
    assert ask("SELECT 1") == [(1,)]
    with transaction.atomic():
        send_along(RENAME, ["Dot", ann.pk])
    assert name_of(ann) == "Dot"


@pytest.mark.parametrize("how", ["copy", "many", "prepared", "streamed"])
def test_every_kind_of_statement_comes_after_what_waited(how):
    user = UserFactory(name="Ann")
    actor = system_actor(door="test", request_id="r-1")
    with acting(actor):
        send_along(RENAME, ["Bea", user.pk])
        if how == "copy":
            with (
                connection.cursor() as cursor,
                cursor.cursor.copy("COPY (SELECT name FROM users_user) TO STDOUT") as copy,
            ):
                found = b"".join(copy).decode().split("\n")
        elif how == "many":
            with connection.cursor() as cursor:
                cursor.executemany(
                    "UPDATE users_user SET name = name || %s WHERE name = %s", [("!", "Bea")]
                )
            found = [name_of(user).removesuffix("!")]
        elif how == "prepared":
            with prepared_cursor() as cursor:
                cursor.execute("SELECT name FROM users_user WHERE id = %s", [user.pk])
                found = [name for (name,) in cursor.fetchall()]
        else:
            found = list(User.objects.values_list("name", flat=True).iterator())
    assert "Bea" in found
    change = Change.objects.filter(row_id=user.pk, action="changed").first()
    assert (change.door, change.actor_id) == ("test", actor.id)


def test_a_lost_connection_takes_along_what_waited():
    user = UserFactory(name="Ann")
    with pytest.raises(Exception, match="terminat|closed|clos"), transaction.atomic():
        ask("SELECT pg_terminate_backend(pg_backend_pid())")
    connection.close()
    with transaction.atomic():
        send_along(RENAME, ["Bea", user.pk])
    assert name_of(user) == "Bea"


@pytest.mark.parametrize("waits", [True, False])
def test_a_connection_lost_before_the_commit_leaves_nothing_and_says_so(waits):
    user = UserFactory(name="Ann")

    @transaction.atomic
    def rename_and_lose_the_connection():
        User.objects.filter(pk=user.pk).update(name="Bea")
        if waits:
            send_along(RENAME, ["Cay", user.pk])
        end(ask("SELECT pg_backend_pid()")[0][0])

    with pytest.raises(OperationalError):
        rename_and_lose_the_connection()
    assert name_of(user) == "Ann"


def test_prepared_statements_are_kept_by_the_server():
    for number in range(6):
        with prepared_cursor() as cursor:
            cursor.execute("SELECT %s::int + 1", [number])
            assert cursor.fetchone() == (number + 1,)
    kept = ask("SELECT statement FROM pg_prepared_statements")
    assert ("SELECT $1::int + 1",) in kept
