"""Guessing passwords: locked out without being told, and nobody learns who works here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import redis
import time_machine
from django.contrib.auth import hashers
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.core.actors import RateLimit
from apps.core.cache import shared_cache
from apps.core.errors import InvalidInput
from apps.core.models import BusinessEvent
from apps.users.models import FailedSignIns, SignIn
from apps.users.rules.patience import Patience
from apps.users.services.attempts import Attempts, from_address, on_account
from apps.users.services.people import add_user, set_password
from salesplatform.settings import base
from tests.factories.users import PASSWORD, UserFactory


@pytest.fixture(params=["Valkey", "database"])
def counted_in(request, monkeypatch):
    """Where failures are counted."""
    if request.param == "database":

        def away(*_):
            raise redis.ConnectionError

        monkeypatch.setattr(shared_cache, "run", away)
    return request.param


def _try(email, password="wrong", address="203.0.113.7"):
    answer = Client(REMOTE_ADDR=address).post(
        "/api/v1/auth/token",
        {"email": email, "password": password},
        content_type="application/json",
    )
    if answer.status_code == 200:
        return 200, ""
    return answer.status_code, answer.json()["error"]["details"]["reason"]


STRICT = base.AUTH_PASSWORD_VALIDATORS
WRONG = (401, "wrong_credentials")


def _refusals():
    told = BusinessEvent.objects.filter(name="user.sign_in_refused").order_by("sequence")
    return [(one.payload["because"], one.payload["locked_for"]) for one in told]


@pytest.mark.usefixtures("counted_in")
def test_after_five_failures_the_right_password_is_refused_like_a_wrong_one(rep):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        assert [_try(rep.email) for _ in range(5)] == [WRONG] * 5
        assert _try(rep.email.upper(), PASSWORD) == WRONG
        clock.shift(timedelta(seconds=29))
        assert _try(rep.email, PASSWORD) == WRONG
        clock.shift(timedelta(seconds=2))
        assert _try(rep.email, PASSWORD) == (200, "")
        assert [_try(rep.email) for _ in range(4)] == [WRONG] * 4
        assert _try(rep.email, PASSWORD) == (200, "")
    assert SignIn.objects.count() == 2


@pytest.mark.usefixtures("counted_in")
def test_waits_grow_with_every_failure(rep):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(5):
            _try(rep.email)
        for wait in (30, 60, 120, 240, 480, 900, 900):
            clock.shift(timedelta(seconds=wait - 1))
            assert _try(rep.email, PASSWORD) == WRONG
            clock.shift(timedelta(seconds=1))
            assert _try(rep.email) == WRONG
    waits = [seconds for because, seconds in _refusals() if because == "wrong credentials"]
    assert waits == [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900]


@pytest.mark.usefixtures("counted_in")
def test_an_address_that_guesses_many_people_has_to_wait(db, monkeypatch):
    # Requests are counted by Valkey's own clock, in which all of these may fall into one second.
    monkeypatch.setattr("apps.core.api.endpoint.RateLimit", lambda: RateLimit(1_000, 1_000))
    people = UserFactory.create_batch(2)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for number in range(50):
            assert _try(f"guess{number}@example.com") == WRONG
        assert _try(people[0].email, PASSWORD) == (429, "too_many_sign_ins")
        assert _try(people[0].email, PASSWORD, address="198.51.100.1") == (200, "")
        clock.shift(timedelta(seconds=31))
        assert _try(people[0].email, PASSWORD) == (200, "")
    assert ("too many from one address", 30) in _refusals()


def test_signing_in_rightly_never_makes_an_address_wait(db, monkeypatch):
    monkeypatch.setattr("apps.core.api.endpoint.RateLimit", lambda: RateLimit(1_000, 1_000))
    for person in UserFactory.create_batch(60):
        assert _try(person.email, PASSWORD) == (200, "")


def test_a_lock_of_one_account_leaves_others_alone(rep, manager):
    for _ in range(6):
        _try(rep.email)
    assert _try(manager.email, PASSWORD) == (200, "")


def test_whatever_is_wrong_is_told_alike_and_costs_one_look_at_a_password(rep, monkeypatch):
    looked = []
    real = hashers.check_password

    def look(password, encoded, *rest):
        looked.append(encoded.partition("$")[0])
        return real(password, encoded, *rest)

    monkeypatch.setattr("apps.users.services.sign_ins.check_password", look)
    gone = UserFactory(is_active=False)
    locked = UserFactory()
    for _ in range(5):
        _try(locked.email)
    looked.clear()
    answers = set()
    for email, password in (
        (rep.email, "wrong"),
        ("nobody@example.com", PASSWORD),
        (gone.email, PASSWORD),
        (locked.email, PASSWORD),
        (UserFactory(password="!").email, PASSWORD),
    ):
        answer = Client().post(
            "/api/v1/auth/token",
            {"email": email, "password": password},
            content_type="application/json",
        )
        error = answer.json()["error"]
        answers.add((answer.status_code, error["message"], str(error["details"])))
    assert len(answers) == 1
    assert len(looked) == 5


def test_what_is_told_of_a_refusal_names_nobody(rep):
    _try("Paula.Nobody@example.com")
    _try(rep.email)
    unknown, known = BusinessEvent.objects.filter(name="user.sign_in_refused").order_by("sequence")
    assert known.aggregate_id == rep.pk
    assert "nobody" not in str(unknown.payload).lower()
    assert set(unknown.payload) == {"subject_id", "because", "locked_for"}
    assert (unknown.door, unknown.correlation_id != "") == ("rest", True)
    _try("paula.nobody@example.com ")
    assert BusinessEvent.objects.filter(aggregate_id=unknown.aggregate_id).count() == 2


def test_signing_in_is_told(rep):
    _try(rep.email, PASSWORD)
    told = BusinessEvent.objects.get(name="user.signed_in")
    assert (told.aggregate_id, told.actor_id, told.payload["method"]) == (
        rep.pk,
        rep.pk,
        "password",
    )


def test_keys_of_counters_hold_no_address():
    assert "rep" not in on_account("rep@example.com").key
    assert "203" not in from_address("203.0.113.7").key


def test_addresses_behind_our_proxies_are_told_apart(rep, settings):
    settings.PROXIES_IN_FRONT = 1

    def attempt(forwarded):
        return Client(REMOTE_ADDR="10.0.0.1").post(
            "/api/v1/auth/token",
            {"email": "x@example.com", "password": "x"},
            content_type="application/json",
            headers={"X-Forwarded-For": forwarded},
        )

    for number in range(50):
        # What the visitor claims stands before what our proxy saw.
        attempt(f"192.0.2.{number}, 203.0.113.7")
    assert attempt("203.0.113.7").status_code == 429
    assert attempt("198.51.100.9").status_code == 401
    assert attempt("203.0.113.7, 198.51.100.9").status_code == 401


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("counted_in")
def test_of_many_attempts_at_once_no_more_are_looked_at_than_let_pass():
    attempts = Attempts("sign-in:test", Patience(free=5))

    def attempt(_: int) -> bool:
        try:
            return attempts.take()[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(40))) == 5


def test_failures_in_the_database_are_forgotten_after_a_day(rep, monkeypatch):
    def away(*_):
        raise redis.ConnectionError

    monkeypatch.setattr(shared_cache, "run", away)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(4):
            _try(rep.email)
        clock.shift(timedelta(days=1, seconds=1))
        for _ in range(4):
            _try(rep.email)
        assert _try(rep.email, PASSWORD) == (200, "")
    assert not FailedSignIns.objects.filter(key=on_account(rep.email).key).exists()


@pytest.mark.parametrize(
    "password",
    ["elevenchars", "password1234", "111111111111", "paula.person@example.com", "paulaperson12"],
)
def test_refuses_weak_passwords(db, settings, system, password):
    settings.AUTH_PASSWORD_VALIDATORS = STRICT
    person = UserFactory(email="paula.person@example.com", name="paulaperson")
    with pytest.raises(InvalidInput):
        set_password(user_id=person.pk, password=password, actor=system)
    with pytest.raises(InvalidInput):
        add_user(
            email="paula.person2@example.com",
            name="paulaperson",
            role="sales_rep",
            password=password,
            actor=system,
        )
    assert _try(person.email, PASSWORD) == (200, "")


def test_a_new_password_is_told_without_it(system, rep):
    set_password(user_id=rep.pk, password="a long enough secret", actor=system)
    told = BusinessEvent.objects.get(name="user.password_changed")
    assert told.payload == {"user_id": str(rep.pk)}
    assert _try(rep.email, PASSWORD) == WRONG
    assert _try(rep.email, "a long enough secret") == (200, "")
