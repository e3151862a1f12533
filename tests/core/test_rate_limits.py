"""Rate limits: counted together by all processes, told on every answer."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
import time_machine

from apps.core import rate_limits
from apps.core.actors import RateLimit
from apps.core.cache import SharedCache, shared_cache
from apps.core.errors import InvalidInput, NotAllowed
from apps.core.rate_limits import RateLimiter, rate_limiter
from apps.users.selectors import forget_standings
from apps.users.services.people import limit_requests

THREE = RateLimit(per_minute=3, per_second=100)


@pytest.fixture(autouse=True)
def _early_in_a_minute() -> None:
    """No test straddles two windows of the server's clock."""
    seconds, _ = shared_cache.client.time()
    if seconds % 60 > 55:
        time.sleep(61 - seconds % 60)


@pytest.fixture
def limited(acting, admin, rep):
    """The rep may ask three times a minute."""
    limit_requests(
        user_id=rep.pk, requests_per_minute=3, requests_per_second=100, actor=acting(admin)
    )
    forget_standings()
    return rep


def left(answer):
    return answer["X-RateLimit-Limit"], answer["X-RateLimit-Remaining"]


def test_every_answer_tells_what_is_left(api, rep):
    client = api(rep)
    first = client.call("GET", "/leads")
    second = client.call("GET", "/leads/unknown")
    third = client.call("GET", "/leads?nonsense=1")
    assert left(first) == ("1000", "999")
    assert left(third) == ("1000", "998")
    assert second.status_code == 404
    assert 0 < int(first["X-RateLimit-Reset"]) - time.time() <= 61


def test_refuses_the_one_too_many_with_when_to_come_back(api, limited, outsider):
    client = api(limited)
    answers = [client.call("GET", "/leads") for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert [left(one)[1] for one in answers] == ["2", "1", "0", "0"]
    error = answers[3].json()["error"]
    assert (error["code"], error["details"]["reason"]) == (
        "RATE_LIMIT_EXCEEDED",
        "rate_limit_exceeded",
    )
    assert answers[3]["Retry-After"] == str(error["details"]["retry_after"])
    assert 1 <= error["details"]["retry_after"] <= 60
    assert api(outsider).call("GET", "/leads").status_code == 200


def test_graphql_counts_the_cost_of_what_is_asked(ask, limited):
    cheap = ask(limited, "{ leads { nodes { id } } }")
    assert left(cheap.response) == ("3", "2")
    dear = ask(limited, "{ leads(limit: 200) { nodes { id email phone company title score } } }")
    assert left(dear.response) == ("3", "0")
    refused = ask(limited, "{ leads { nodes { id } } }")
    assert refused.status == 429
    assert refused.codes == [("RATE_LIMIT_EXCEEDED", "rate_limit_exceeded")]
    assert int(refused.response["Retry-After"]) > 0


def test_strangers_are_counted_by_address(client, db):
    first = client.get("/api/v1/leads")
    second = client.get("/api/v1/leads")
    assert (first.status_code, left(first), left(second)) == (401, ("1000", "999"), ("1000", "998"))


def test_a_burst_is_refused_for_a_second():
    limit = RateLimit(per_minute=1000, per_second=5)
    for _ in range(3):  # a second may end in between
        waits = [rate_limiter.charge("burst", limit).retry_after for _ in range(20)]
        if waits == [0] * 5 + [1] * 15:
            break
        time.sleep(1.1)
    assert waits == [0] * 5 + [1] * 15
    time.sleep(1.1)
    assert rate_limiter.charge("burst", limit).retry_after == 0


def test_many_at_once_are_let_in_exactly_as_often_as_allowed():
    limit = RateLimit(per_minute=40, per_second=1000)
    prefix = shared_cache._prefix

    def hammer(_: int) -> int:
        own = SharedCache()
        own.keep_apart(prefix)
        limiter = RateLimiter(own)
        return sum(limiter.charge("many", limit).retry_after == 0 for _ in range(20))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(hammer, range(8))) == 40


def test_all_together_have_a_limit_too(monkeypatch):
    monkeypatch.setattr(rate_limits, "ALL_TOGETHER_PER_MINUTE", 5)
    waits = [rate_limiter.charge(f"one of many {number}", THREE).retry_after for number in range(7)]
    assert [wait > 0 for wait in waits] == [False] * 5 + [True] * 2


def test_without_valkey_each_process_counts_for_itself(client, db):
    away = SharedCache()
    away._client = redis.Redis(port=1, socket_connect_timeout=0.1)
    limiter = RateLimiter(away)
    waits = [limiter.charge("somebody", THREE).retry_after for _ in range(4)]
    assert [wait > 0 for wait in waits] == [False, False, False, True]
    assert limiter.is_shared is False
    with time_machine.travel(time.time() + 61):
        assert limiter.charge("somebody", THREE).retry_after == 0


def test_health_says_whether_processes_count_together(client, db, monkeypatch):
    assert client.get("/health").json()["components"]["rate limits"]["status"] == "up"
    monkeypatch.setattr(rate_limiter, "_quiet_until", time.monotonic() + 60)
    health = client.get("/health")
    assert health.status_code == 200
    assert health.json()["status"] == "degraded"
    assert health.json()["components"]["rate limits"]["status"] == "down"


@pytest.mark.parametrize("count", [0, -1, 1_000_001])
def test_a_limit_that_makes_no_sense_is_refused(acting, admin, rep, count):
    with pytest.raises(InvalidInput) as refused:
        limit_requests(
            user_id=rep.pk, requests_per_minute=count, requests_per_second=None, actor=acting(admin)
        )
    assert list(refused.value.details["fields"]) == ["requests_per_minute"]
    rep.refresh_from_db()
    assert rep.requests_per_minute is None


def test_only_those_who_manage_people_set_limits(acting, manager, rep):
    with pytest.raises(NotAllowed):
        limit_requests(
            user_id=rep.pk,
            requests_per_minute=10_000,
            requests_per_second=None,
            actor=acting(manager),
        )
    rep.refresh_from_db()
    assert rep.requests_per_minute is None
