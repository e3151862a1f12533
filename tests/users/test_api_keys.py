"""API keys: what machine clients show."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.core.errors import NotAllowed
from apps.core.models import BusinessEvent
from apps.users.errors import KeyRevoked, ScopeTooWide
from apps.users.models import ApiKey, Role
from apps.users.selectors import actor_for, forget_standings
from apps.users.services.api_keys import forget_uses, issue_api_key, revoke_api_key, rotate_api_key
from apps.users.services.people import change_access, limit_requests
from tests.factories.leads import LeadFactory
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory


@pytest.fixture
def machine(db):
    """A machine client that sees everything."""
    return UserFactory(role=Role.INTEGRATION, name="Billing", all_territories=True)


@pytest.fixture
def issue(machine, system):
    """Gives the machine a key."""

    def issued(**facts):
        in_a_month = timezone.now() + timedelta(days=30)
        facts = {"user_id": machine.pk, "name": "Nightly", "expires_at": in_a_month, **facts}
        return issue_api_key(**facts, actor=system)

    return issued


def _with(text: str, path: str = "/api/v1/leads"):
    return Client().get(path, headers={"X-API-Key": text})


def _new_key(machine, **facts):
    expires_at = (timezone.now() + timedelta(days=30)).isoformat()
    return {"user_id": str(machine.pk), "name": "Nightly", "expires_at": expires_at, **facts}


def test_an_admin_gives_a_client_a_key_that_is_shown_once(api, admin, machine):
    LeadFactory()
    client = api(admin)
    answer = client.call("POST", "/api-keys", _new_key(machine, scopes=["lead:read"]))
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"id", "prefix", "api_key", "expires_at", "former_until"}
    assert body["api_key"].startswith(f"{body['prefix']}.")
    assert _with(body["api_key"]).json()["pagination"]["total"] == 1

    shown = client.call("GET", f"/api-keys/{body['id']}").json()
    secret = body["api_key"].partition(".")[2]
    assert (shown["prefix"], shown["scopes"]) == (body["prefix"], ["lead:read"])
    assert shown["user"] == {"id": str(machine.pk), "name": "Billing"}
    assert secret not in json.dumps(shown)
    assert secret not in str(list(ApiKey.objects.values()))
    assert secret not in str(list(BusinessEvent.objects.values("payload")))
    assert BusinessEvent.objects.filter(name="api_key.issued").count() == 1


def test_a_repeat_with_the_same_idempotency_key_never_shows_a_kept_secret(api, admin, machine):
    client, body = api(admin), _new_key(machine)
    first = client.call("POST", "/api-keys", body, idempotency_key="k-1").json()
    again = client.call("POST", "/api-keys", body, idempotency_key="k-1")
    assert again.json().get("api_key") != first["api_key"]


@pytest.mark.parametrize("role", [Role.SALES_MANAGER, Role.SALES_REP, Role.READ_ONLY])
def test_nobody_but_admins_manages_keys(api, machine, issue, role):
    key = issue().owner
    client = api(UserFactory(role=role))
    for method, path, body in (
        ("GET", "/api-keys", None),
        ("GET", f"/api-keys/{key.pk}", None),
        ("POST", "/api-keys", _new_key(machine)),
        ("POST", f"/api-keys/{key.pk}/rotate", {}),
        ("POST", f"/api-keys/{key.pk}/revoke", None),
    ):
        assert client.call(method, path, body).status_code == 403, path
    assert ApiKey.objects.get() == key
    assert _with("x.y").status_code == 401


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"user_id": str(uuid4())}, "invalid_input"),
        ({"scopes": ["lead:fly"]}, "invalid_input"),
        ({"scopes": []}, "invalid_input"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "invalid_input"),
        ({"expires_at": "2099-01-01T00:00:00Z"}, "invalid_input"),
        ({"name": ""}, "invalid_input"),
    ],
)
def test_refuses_a_key_that_makes_no_sense(api, admin, machine, facts, reason):
    answer = api(admin).call("POST", "/api-keys", _new_key(machine, **facts))
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["reason"] == reason
    assert ApiKey.objects.count() == 0


def test_a_person_gets_no_key(api, admin, rep):
    answer = api(admin).call("POST", "/api-keys", _new_key(rep))
    assert answer.json()["error"]["details"]["reason"] == "not_a_client"
    assert ApiKey.objects.count() == 0


def test_nobody_passes_on_rights_they_lack(machine, admin):
    narrow = actor_for(admin.pk, door="test", scopes=["client:manage", "lead:read"])
    facts = {"user_id": machine.pk, "name": "X", "expires_at": timezone.now() + timedelta(days=1)}
    with pytest.raises(ScopeTooWide):
        issue_api_key(**facts, actor=narrow)
    with pytest.raises(ScopeTooWide):
        issue_api_key(**facts, scopes=["lead:read", "lead:write"], actor=narrow)
    assert ApiKey.objects.count() == 0
    wide = issue_api_key(**facts, actor=actor_for(admin.pk, door="test")).owner
    with pytest.raises(ScopeTooWide):
        rotate_api_key(api_key_id=wide.pk, actor=narrow)
    issued = issue_api_key(**facts, scopes=["lead:read"], actor=narrow)
    rotate_api_key(api_key_id=issued.owner.pk, actor=narrow)


def test_scopes_narrow_the_role_and_never_widen_it(issue):
    reads = issue(scopes=["lead:read", "user:manage"]).text
    assert _with(reads).status_code == 200
    assert _with(reads, "/api/v1/accounts").status_code == 403
    assert _with(reads, "/api/v1/api-keys").status_code == 403
    answer = Client().post(
        "/api/v1/leads", "{}", content_type="application/json", headers={"X-API-Key": reads}
    )
    assert answer.status_code in (400, 403)


def test_a_client_sees_the_territories_it_is_bound_to_and_nothing_when_they_end(issue, system):
    bound = UserFactory(role=Role.INTEGRATION)
    inside, outside = LeadFactory(territory=TerritoryFactory()), LeadFactory()
    member = TerritoryMemberFactory(territory=inside.territory, user=bound)
    key = issue(user_id=bound.pk).text
    assert [one["id"] for one in _with(key).json()["data"]] == [str(inside.pk)]
    assert _with(key, f"/api/v1/leads/{outside.pk}").status_code == 404

    other = UserFactory(role=Role.INTEGRATION)
    assert member.user != other
    assert _with(issue(user_id=other.pk).text).json()["data"] == []


def test_graphql_takes_keys_too(issue):
    LeadFactory()
    answer = Client().post(
        "/graphql",
        json.dumps({"query": "{ leads { totalCount } }"}),
        content_type="application/json",
        headers={"X-API-Key": issue(scopes=["lead:read"]).text},
    )
    assert "errors" not in answer.json() or answer.json()["errors"] == []
    assert answer.status_code == 200


def test_all_that_is_wrong_with_a_key_is_told_alike(issue, system):
    good = issue()
    revoked, expired = issue(), issue(expires_at=timezone.now() + timedelta(seconds=1))
    revoke_api_key(api_key_id=revoked.owner.pk, actor=system)
    told = set()
    with time_machine.travel(timezone.now() + timedelta(seconds=2)):
        for text in (
            "",
            ".",
            "x",
            f"{good.owner.prefix}.",
            f"{good.owner.prefix}.wrong",
            f"key_000000000000.{good.secret}",
            good.secret,
            good.text + "x",
            good.text.replace(".", ""),
            revoked.text,
            expired.text,
            "é.é",
            "x" * 5000,
        ):
            answer = _with(text)
            assert answer.status_code == 401, text
            error = answer.json()["error"]
            told.add((error["code"], error["message"], error["details"]["reason"]))
    assert told == {("UNAUTHORIZED", "This API key is not valid.", "api_key_rejected")}


def test_the_secret_is_compared_as_often_for_unknown_keys_as_for_wrong_ones(issue, monkeypatch):
    compared = []
    known = issue().owner.prefix

    def compare(left, right):
        compared.append(left)
        return left == right

    monkeypatch.setattr("apps.users.selectors.compare_digest", compare)
    _with(f"{known}.wrong")
    for_wrong = len(compared)
    _with("key_ffffffffffff.wrong")
    assert len(compared) == 2 * for_wrong == 4


def test_the_former_secret_works_for_the_time_of_grace(issue, system):
    first = issue()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        second = rotate_api_key(api_key_id=first.owner.pk, grace_minutes=10, actor=system)
        forget_standings()
        assert second.owner.prefix == first.owner.prefix
        assert [_with(one.text).status_code for one in (first, second)] == [200, 200]
        clock.shift(timedelta(minutes=9, seconds=59))
        assert _with(first.text).status_code == 200
        clock.shift(timedelta(seconds=2))
        assert [_with(one.text).status_code for one in (first, second)] == [401, 200]


def test_rotating_twice_ends_the_first_secret_at_once(issue, system):
    first = issue()
    second = rotate_api_key(api_key_id=first.owner.pk, actor=system)
    third = rotate_api_key(api_key_id=first.owner.pk, actor=system)
    forget_standings()
    assert [_with(one.text).status_code for one in (first, second, third)] == [401, 200, 200]


def test_rotation_without_grace_ends_the_former_secret(issue, system):
    first = issue()
    rotate_api_key(api_key_id=first.owner.pk, grace_minutes=0, actor=system)
    forget_standings()
    assert _with(first.text).status_code == 401


def test_a_revoked_key_stays_revoked(issue, system, rep, acting):
    issued = issue()
    assert _with(issued.text).status_code == 200
    with pytest.raises(NotAllowed):
        revoke_api_key(api_key_id=issued.owner.pk, actor=acting(rep))
    assert _with(issued.text).status_code == 200
    for _ in range(2):
        revoke_api_key(api_key_id=issued.owner.pk, actor=system)
    forget_standings()
    assert _with(issued.text).status_code == 401
    with pytest.raises(KeyRevoked):
        rotate_api_key(api_key_id=issued.owner.pk, actor=system)
    assert BusinessEvent.objects.filter(name="api_key.revoked").count() == 1


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": Role.SALES_REP}])
def test_a_key_ends_with_what_its_client_may_do(issue, machine, system, change):
    text = issue().text
    facts = {"role": Role.INTEGRATION, "is_active": True, **change}
    change_access(user_id=machine.pk, manager_id=None, actor=system, **facts)
    forget_standings()
    assert _with(text).status_code == 401


def test_its_use_is_noted_once_a_minute(issue, django_assert_num_queries):
    issued = issue()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        began = timezone.now()
        for _ in range(3):
            _with(issued.text)
        issued.owner.refresh_from_db()
        assert issued.owner.last_used_at == began
        clock.shift(timedelta(seconds=59))
        forget_uses()
        _with(issued.text)
        issued.owner.refresh_from_db()
        assert issued.owner.last_used_at == began
        clock.shift(timedelta(seconds=2))
        forget_uses()
        _with(issued.text)
        issued.owner.refresh_from_db()
        assert issued.owner.last_used_at == began + timedelta(seconds=61)
    with django_assert_num_queries(1):
        _with(issued.text, f"/api/v1/leads/{uuid4()}")


def test_a_client_has_a_rate_limit_of_its_own(issue, machine, system):
    limit_requests(
        user_id=machine.pk, requests_per_minute=7, requests_per_second=None, actor=system
    )
    answer = _with(issue().text)
    assert answer["X-RateLimit-Limit"] == "7"
    assert answer["X-RateLimit-Remaining"] == "6"


@pytest.mark.django_db(transaction=True)
def test_of_rotations_at_once_the_last_two_secrets_remain(system):
    machine = UserFactory(role=Role.INTEGRATION)
    first = issue_api_key(
        user_id=machine.pk, name="X", expires_at=timezone.now() + timedelta(days=1), actor=system
    )

    def attempt(_: int):
        try:
            return rotate_api_key(api_key_id=first.owner.pk, actor=system)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        rotated = list(pool.map(attempt, range(8)))
    forget_standings()
    statuses = sorted(_with(one.text).status_code for one in (first, *rotated))
    assert statuses == [200, 200] + [401] * 7


@pytest.mark.django_db(transaction=True)
def test_a_revocation_wins_against_rotations_at_once(system):
    machine = UserFactory(role=Role.INTEGRATION)
    first = issue_api_key(
        user_id=machine.pk, name="X", expires_at=timezone.now() + timedelta(days=1), actor=system
    )

    def attempt(number: int):
        try:
            if number == 3:
                revoke_api_key(api_key_id=first.owner.pk, actor=system)
                return first
            return rotate_api_key(api_key_id=first.owner.pk, actor=system)
        except KeyRevoked:
            return first
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        rotated = list(pool.map(attempt, range(8)))
    forget_standings()
    assert {_with(one.text).status_code for one in rotated} == {401}
