"""Asking partners: with patience, not for ever, and not at all while they are away.

What fails in passing is tried again, ever later and never at the same moment as others. A partner
that failed several times in a row is left alone for a while: its breaker is open, in every process,
and then one question decides whether it is back.
"""

from __future__ import annotations

from functools import cached_property

import pybreaker
import redis
from django.conf import settings
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from apps.core.cache import shared_cache
from apps.integrations.models import Partner
from apps.integrations.services.partners import token_of
from apps.integrations.services.posting import Outside, Unreachable

ATTEMPTS = 3
FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 4.0
FAILURES_UNTIL_OPEN = 5
OPEN_FOR_SECONDS = 60
LARGEST_ANSWER = 1_000_000
NOT_THERE = 404
_AWAY = frozenset({408, 425, 429})


# Whoever is not let in is told so at every question.
TURNED_AWAY = (401, 403)


class Away(Exception):
    """The partner gives no answer now, and why; later it may."""


class Refused(Exception):
    """The partner does not want to answer us, and why."""


class Unanswered(Exception):
    """The partner has no answer to this question that we can take, and why."""


class Line:
    """A line to a partner, by which it is asked. Knows no database once it was made."""

    def __init__(self, partner: Partner) -> None:
        token = token_of(partner)
        self._headers = {
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "salesplatform",
            **({"authorization": f"Bearer {token}"} if token else {}),
        }
        self._outside = Outside(partner.base_url, local_hosts=settings.WEBHOOK_LOCAL_HOSTS)
        self._breaker = breaker_of(partner)
        self._trouble = "It failed too often, and is left alone for a while."

    @property
    def is_open(self) -> bool:
        """Whether the partner is left alone for now."""
        return bool(self._breaker.current_state == pybreaker.STATE_OPEN)

    def close(self) -> None:
        """Hang up."""
        self._outside.close()

    def ask(self, path: str) -> str | None:
        """What a partner answers; None where it knows of no such thing.

        Raises Away once it was tried several times or the breaker is open, Refused, Unanswered.
        """
        try:
            answer: str | None = self._patience(self._breaker.call, self._ask_once, path)
        except pybreaker.CircuitBreakerError:
            raise Away(self._trouble) from None
        return answer

    @cached_property
    def _patience(self) -> Retrying:
        return Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS),
            retry=retry_if_exception_type(Away),
            reraise=True,
        )

    def _ask_once(self, path: str) -> str | None:
        try:
            answer = self._outside.send("GET", path, headers=self._headers, most=LARGEST_ANSWER + 1)
        except Unreachable as failure:
            raise self._away(str(failure)) from failure
        if answer.status == NOT_THERE:
            return None
        if answer.status >= 500 or answer.status in _AWAY:
            raise self._away(f"It answered {answer.status}.")
        if answer.status in TURNED_AWAY:
            raise Refused(f"It answered {answer.status}.")
        if not 200 <= answer.status < 300:
            raise Unanswered(f"It answered {answer.status}.")
        if len(answer.text) > LARGEST_ANSWER:
            raise Unanswered("It answered with too much.")
        return answer.text

    def _away(self, why: str) -> Away:
        self._trouble = why
        return Away(why)


def breaker_of(partner: Partner) -> pybreaker.CircuitBreaker:
    """The breaker of a partner, the same for all processes; without Valkey each has its own."""
    return pybreaker.CircuitBreaker(
        fail_max=FAILURES_UNTIL_OPEN,
        reset_timeout=OPEN_FOR_SECONDS,
        exclude=[Refused, Unanswered],
        state_storage=_kept(partner),
        name=partner.key,
        throw_new_error_on_trip=False,
    )


def _kept(partner: Partner) -> pybreaker.CircuitBreakerStorage:
    try:
        return pybreaker.CircuitRedisStorage(
            pybreaker.STATE_CLOSED,
            shared_cache.client,
            namespace=shared_cache.apart(f"partner:{partner.pk}"),
        )
    except redis.RedisError:
        return pybreaker.CircuitMemoryStorage(pybreaker.STATE_CLOSED)


def is_left_alone(partner: Partner) -> bool:
    """Whether a partner failed so often that it is asked nothing for now."""
    return bool(breaker_of(partner).current_state == pybreaker.STATE_OPEN)
