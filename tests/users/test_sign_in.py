"""Signing in with tokens."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from apps.users.models import SignIn
from apps.users.selectors import forget_standings
from apps.users.services.people import change_access
from apps.users.tasks import forget_what_is_over
from tests.factories.users import PASSWORD, SignInFactory, UserFactory


def _sign_in(client, user):
    return client.call("POST", "/auth/token", {"email": user.email, "password": PASSWORD}).json()


def test_gives_tokens_for_the_right_password(api, rep):
    client = api(rep)
    answer = client.call("POST", "/auth/token", {"email": rep.email.upper(), "password": PASSWORD})
    assert answer.status_code == 200
    assert set(answer.json()) == {"access", "refresh", "expires_in"}
    assert answer.json()["expires_in"] == 900


@pytest.mark.parametrize("email", ["nobody@example.com", "rep"])
def test_refuses_a_wrong_password_and_an_unknown_address_alike(api, rep, email):
    client = api(rep)
    address = rep.email if email == "rep" else email
    answer = client.call("POST", "/auth/token", {"email": address, "password": "wrong"})
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert (error["code"], error["details"]["reason"]) == ("UNAUTHORIZED", "wrong_credentials")
    assert SignIn.objects.count() == 1


def test_refuses_an_inactive_person(api, rep):
    client = api(rep)
    rep.is_active = False
    rep.save()
    answer = client.call("POST", "/auth/token", {"email": rep.email, "password": PASSWORD})
    assert answer.status_code == 401


def test_a_refresh_token_works_once_and_its_reuse_ends_the_sign_in(api, rep):
    client = api(rep)
    first = _sign_in(client, rep)
    second = client.call("POST", "/auth/refresh", {"refresh": first["refresh"]})
    assert second.status_code == 200
    again = client.call("POST", "/auth/refresh", {"refresh": first["refresh"]})
    assert again.status_code == 401
    assert again.json()["error"]["details"]["reason"] == "refresh_token_reused"
    after = client.call("POST", "/auth/refresh", {"refresh": second.json()["refresh"]})
    assert after.json()["error"]["details"]["reason"] == "sign_in_ended"


def test_signing_out_ends_the_sign_in(api, rep):
    client = api(rep)
    tokens = _sign_in(client, rep)
    assert client.call("POST", "/auth/sign-out", {"refresh": tokens["refresh"]}).status_code == 204
    answer = client.call("POST", "/auth/refresh", {"refresh": tokens["refresh"]})
    assert answer.status_code == 401


@pytest.mark.django_db(transaction=True)
def test_of_eight_refreshes_at_once_exactly_one_wins(api):
    user = UserFactory()
    client = api(user)
    refresh = _sign_in(client, user)["refresh"]

    def attempt(_: int) -> int:
        try:
            return client.call("POST", "/auth/refresh", {"refresh": refresh}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(attempt, range(8)))
    assert statuses == [200] + [401] * 7


def test_without_a_token_the_answer_is_401_in_the_envelope(client, db):
    answer = client.get("/api/v1/territories", headers={"X-Request-ID": "abc-1"})
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert error["code"] == "UNAUTHORIZED"
    assert error["request_id"] == answer["X-Request-ID"] == "abc-1"


def test_sign_ins_are_forgotten_a_month_after_they_ended(rep):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        started = SignInFactory(user=rep)
        clock.shift(timedelta(days=30, hours=7))
        forget_what_is_over()
        assert SignIn.objects.get() == started
        clock.shift(timedelta(hours=1, seconds=1))
        forget_what_is_over()
        assert SignIn.objects.count() == 0


def test_a_change_of_role_ends_older_tokens(api, admin, rep, acting):
    client = api(rep)
    change_access(
        user_id=rep.pk, role="read_only", manager_id=None, is_active=True, actor=acting(admin)
    )
    forget_standings()
    assert client.call("GET", "/territories").status_code == 401
