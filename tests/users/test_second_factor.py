"""The second factor: a code besides the password, each one once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.core.errors import NotAllowed, NotFound
from apps.core.models import BusinessEvent
from apps.users.errors import SecondFactorThere, WrongCode
from apps.users.models import SecondFactor
from apps.users.rules.one_time_codes import code_at, step_of
from apps.users.selectors import forget_standings
from apps.users.services.people import change_access
from apps.users.services.sealing import seal, unseal
from apps.users.services.second_factor import (
    begin_second_factor,
    check_second_factor,
    confirm_second_factor,
    reset_second_factor,
)
from tests.factories.users import PASSWORD, UserFactory, actor_of

# RFC 6238, appendix B; six of its eight digits.
RFC_SECRET = b"12345678901234567890"


def _secret_of(user) -> bytes:
    factor = SecondFactor.objects.get(user=user)
    return unseal(bytes(factor.sealed_secret), place=f"second factor {factor.pk}")


def _code_of(user, *, steps=0) -> str:
    return code_at(_secret_of(user), int(time.time()) // 30 + steps)


def _enrol(user) -> tuple[str, ...]:
    begin_second_factor(actor=actor_of(user))
    return confirm_second_factor(code=_code_of(user, steps=-1), actor=actor_of(user))


@pytest.mark.parametrize(
    ("moment", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_are_those_of_rfc_6238(moment, code):
    assert code_at(RFC_SECRET, moment // 30) == code


def test_a_clock_may_be_off_by_one_step():
    steps = {
        steps: step_of(RFC_SECRET, code_at(RFC_SECRET, 1000 + steps), now=30_015, after=0)
        for steps in range(-3, 4)
    }
    assert steps == {-3: None, -2: None, -1: 999, 0: 1000, 1: 1001, 2: None, 3: None}


@pytest.mark.parametrize("code", ["", "28708", "2870820", "abcdef", "é", "٢٨٧٠٨٢"])
def test_what_is_no_code_fits_no_step(code):
    assert step_of(RFC_SECRET, code, now=59, after=0) is None


def test_a_sealed_secret_opens_only_where_it_was_sealed():
    sealed = seal(b"secret", place="here")
    assert b"secret" not in sealed
    assert unseal(sealed, place="here") == b"secret"
    for changed, place in ((sealed, "there"), (sealed[:-1] + b"x", "here"), (sealed[:20], "here")):
        with pytest.raises(ValueError, match="not sealed here"):
            unseal(changed, place=place)


def test_is_enrolled_once_confirmed(rep, acting):
    told = begin_second_factor(actor=acting(rep))
    assert told.address.startswith("otpauth://totp/salesplatform%3A")
    assert told.secret in told.address
    assert begin_second_factor(actor=acting(rep)) == told
    assert told.secret.encode() not in bytes(SecondFactor.objects.get().sealed_secret)
    with pytest.raises(WrongCode):
        check_second_factor(user=rep, code=_code_of(rep))
    with pytest.raises(WrongCode):
        confirm_second_factor(code="000000", actor=acting(rep))
    codes = confirm_second_factor(code=_code_of(rep), actor=acting(rep))
    assert len(set(codes)) == 10
    assert not set(codes) & set(SecondFactor.objects.get().recovery_digests)
    with pytest.raises(SecondFactorThere):
        begin_second_factor(actor=acting(rep))
    with pytest.raises(SecondFactorThere):
        confirm_second_factor(code=_code_of(rep, steps=1), actor=acting(rep))
    assert BusinessEvent.objects.get(name="user.second_factor_enrolled").aggregate_id == rep.pk


def test_nothing_is_confirmed_that_was_not_begun(rep, acting):
    with pytest.raises(NotFound):
        confirm_second_factor(code="000000", actor=acting(rep))


def test_a_code_is_taken_once(rep):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        _enrol(rep)
        code = _code_of(rep)
        check_second_factor(user=rep, code=f"{code[:3]} {code[3:]}")
        with pytest.raises(WrongCode):
            check_second_factor(user=rep, code=code)
        with pytest.raises(WrongCode):
            check_second_factor(user=rep, code=_code_of(rep, steps=-1))
        clock.shift(timedelta(seconds=30))
        check_second_factor(user=rep, code=_code_of(rep))


def test_a_recovery_code_is_taken_once_however_it_is_typed(rep):
    first, second, *_ = _enrol(rep)
    check_second_factor(user=rep, code=f" {first.upper()} ")
    with pytest.raises(WrongCode):
        check_second_factor(user=rep, code=first)
    check_second_factor(user=rep, code=second.replace("-", ""))
    assert len(SecondFactor.objects.get().recovery_digests) == 8


def test_a_code_of_somebody_else_is_wrong(rep, manager):
    codes = _enrol(rep)
    _enrol(manager)
    for code in (_code_of(rep), codes[0]):
        with pytest.raises(WrongCode):
            check_second_factor(user=manager, code=code)


def test_too_many_wrong_codes_and_right_ones_are_refused_for_a_while(rep):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        _enrol(rep)
        for _ in range(5):
            with pytest.raises(WrongCode):
                check_second_factor(user=rep, code="000000")
        with pytest.raises(WrongCode):
            check_second_factor(user=rep, code=_code_of(rep))
        clock.shift(timedelta(seconds=31))
        check_second_factor(user=rep, code=_code_of(rep))


def test_an_admin_resets_it_and_nobody_else(rep, manager, admin, acting):
    _enrol(rep)
    for actor in (acting(rep), acting(manager)):
        with pytest.raises(NotAllowed):
            reset_second_factor(user_id=rep.pk, actor=actor)
    assert SecondFactor.objects.count() == 1
    reset_second_factor(user_id=rep.pk, actor=acting(admin))
    assert SecondFactor.objects.count() == 0
    with pytest.raises(NotFound):
        reset_second_factor(user_id=rep.pk, actor=acting(admin))
    assert BusinessEvent.objects.get(name="user.second_factor_reset").actor_id == admin.pk


def test_a_reset_ends_tokens_and_sessions_that_run(rep, acting, admin, api, client):
    running = api(rep)
    _enrol(rep)
    client.force_login(rep)
    assert running.call("GET", "/leads").status_code == 200
    assert client.get("/admin/").status_code == 200
    reset_second_factor(user_id=rep.pk, actor=acting(admin))
    forget_standings()
    assert running.call("GET", "/leads").status_code == 401
    assert client.get("/admin/").status_code == 302


def test_another_role_ends_the_sessions_of_the_back_office(rep, acting, admin, client):
    client.force_login(rep)
    change_access(
        user_id=rep.pk, role="read_only", manager_id=None, is_active=True, actor=acting(admin)
    )
    assert client.get("/admin/").status_code == 302


def _token(user, **more):
    answer = Client().post(
        "/api/v1/auth/token",
        {"email": user.email, "password": PASSWORD, **more},
        content_type="application/json",
    )
    if answer.status_code == 200:
        return "let in"
    return answer.json()["error"]["details"]["reason"]


def test_tokens_take_a_code_too(rep):
    codes = _enrol(rep)
    assert _token(rep) == "second_factor_needed"
    assert _token(rep, code="000000") == "wrong_code"
    assert _token(rep, code=_code_of(rep)) == "let in"
    assert _token(rep, code=codes[3]) == "let in"
    assert _token(rep, password="wrong", code=codes[4]) == "wrong_credentials"
    told = BusinessEvent.objects.filter(name="user.sign_in_refused").order_by("sequence")
    assert [one.payload["because"] for one in told] == ["wrong code", "wrong credentials"]


def test_tokens_are_not_given_to_who_must_enrol_first(rep, settings):
    settings.SECOND_FACTOR_ROLES = ["sales_rep"]
    assert _token(rep) == "second_factor_needed"
    assert _token(rep, code="000000") == "second_factor_needed"


# --- In the back office ------------------------------------------------------------------------


def _sign_in(browser, user, password=PASSWORD, **more):
    form = {"username": user.email, "password": password, **more}
    return browser.post(reverse("admin:login"), form)


def _is_in(browser) -> bool:
    return browser.get(reverse("admin:index")).status_code == 200


CODE = "/admin/login/code/"
ENROL = "/admin/second-factor/"


def test_the_code_is_asked_after_the_password(client, rep):
    _enrol(rep)
    answer = _sign_in(client, rep, next="/admin/leads/lead/")
    assert answer["Location"] == CODE
    assert not _is_in(client)
    assert b"not valid" in client.post(CODE, {"code": "000000"}).content
    assert not _is_in(client)
    answer = client.post(CODE, {"code": _code_of(rep)})
    assert answer["Location"] == "/admin/leads/lead/"
    assert _is_in(client)


def test_the_code_is_not_asked_of_strangers(client, db):
    assert client.get(CODE)["Location"] == "/admin/login/"
    assert client.post(CODE, {"code": "000000"})["Location"] == "/admin/login/"
    assert client.get(ENROL)["Location"] == "/admin/login/"
    assert client.post(ENROL, {"code": "000000"})["Location"] == "/admin/login/"


def test_a_password_is_good_for_ten_minutes_of_looking_for_the_telephone(client, rep):
    _enrol(rep)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        _sign_in(client, rep)
        clock.shift(timedelta(minutes=10, seconds=1))
        assert client.post(CODE, {"code": _code_of(rep)})["Location"] == "/admin/login/"
        assert not _is_in(client)


def test_who_has_a_second_factor_can_not_enrol_another_halfway(client, rep):
    _enrol(rep)
    _sign_in(client, rep)
    assert client.get(ENROL)["Location"] == "/admin/login/"
    assert client.post(ENROL, {"code": _code_of(rep)})["Location"] == "/admin/login/"
    assert not _is_in(client)


def test_who_must_enrols_before_coming_in(client, rep, settings):
    settings.SECOND_FACTOR_ROLES = ["sales_rep"]
    assert _sign_in(client, rep)["Location"] == ENROL
    assert not _is_in(client)
    page = client.get(ENROL).content.decode()
    assert "<svg" in page
    assert "http" not in page.partition("<svg")[2].partition("</svg>")[0]
    assert b"not valid" in client.post(ENROL, {"code": "000000"}).content
    assert not _is_in(client)
    page = client.post(ENROL, {"code": _code_of(rep)}).content.decode()
    assert page.count('<code class="secret">') == 10
    assert _is_in(client)


def test_anybody_may_enrol(client, rep):
    _sign_in(client, rep)
    client.get(ENROL)
    assert b"Recovery codes" in client.post(ENROL, {"code": _code_of(rep)}).content
    assert b"10 recovery codes" in client.get(ENROL).content


def test_never_leads_elsewhere(client, rep):
    _enrol(rep)
    _sign_in(client, rep, next="https://evil.example/")
    assert client.post(CODE, {"code": _code_of(rep)})["Location"] == "/admin/"


@pytest.mark.parametrize("trouble", ["wrong", "unknown", "gone", "machine"])
def test_the_page_tells_every_refusal_alike(client, rep, trouble):
    person = {
        "wrong": rep,
        "unknown": UserFactory.build(email="nobody@example.com"),
        "gone": UserFactory(is_active=False),
        "machine": UserFactory(role="integration"),
    }[trouble]
    page = _sign_in(client, person, password="wrong" if trouble == "wrong" else PASSWORD)
    assert b"E-mail or password is wrong." in page.content
    assert not _is_in(client)


def test_a_session_ends_eight_hours_after_signing_in_however_busy(client, rep):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        _sign_in(client, rep)
        for _ in range(7):
            clock.shift(timedelta(hours=1))
            client.get(ENROL)
            session = client.session
            session["busy"] = str(timezone.now())
            session.save()
            assert _is_in(client)
        clock.shift(timedelta(minutes=59, seconds=59))
        assert client.get("/api/v1/leads").status_code == 200
        clock.shift(timedelta(seconds=2))
        assert client.get("/api/v1/leads").status_code == 401
        assert not _is_in(client)
        _sign_in(client, rep)
        assert _is_in(client)


@pytest.mark.django_db(transaction=True)
def test_of_eight_uses_of_a_recovery_code_at_once_exactly_one_wins(monkeypatch):
    user = UserFactory()
    code = _enrol(user)[0]
    monkeypatch.setattr("apps.users.services.attempts.Attempts.take", lambda _: (True, 0))

    def attempt(_: int) -> bool:
        try:
            check_second_factor(user=user, code=code)
        except WrongCode:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1


@pytest.mark.django_db(transaction=True)
def test_of_eight_uses_of_an_authenticators_code_at_once_exactly_one_wins(monkeypatch):
    user = UserFactory()
    _enrol(user)
    code = _code_of(user)
    monkeypatch.setattr("apps.users.services.attempts.Attempts.take", lambda _: (True, 0))

    def attempt(_: int) -> bool:
        try:
            check_second_factor(user=user, code=code)
        except WrongCode:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
