"""How much somebody may ask for: counted in Valkey, the same for all processes.

Each principal has a minute's allowance and a burst per second; one more minute is shared by all.
Without Valkey each process counts for itself, and says so in `/health`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import redis
from cachetools import TTLCache

from apps.core.actors import RateLimit
from apps.core.cache import SharedCache, shared_cache
from apps.core.errors import Refusal
from apps.core.metrics import requests_limited

log = logging.getLogger(__name__)

ALL_TOGETHER_PER_MINUTE = 100_000
MINUTE = 60
SILENCE = 2.0
REMEMBERED = 50_000


class RateLimitExceeded(Refusal):
    """Somebody asks for more than they may, or all together do. `retry_after` is in seconds."""

    code = "RATE_LIMIT_EXCEEDED"
    reason = "rate_limit_exceeded"
    message = "Too many requests. Try again later."


@dataclass(frozen=True)
class Allowance:
    """What is left of a principal's minute.

    Attributes:
        limit: requests a minute.
        remaining: of them.
        resets_at: when the next minute begins, in seconds since 1970.
        retry_after: seconds until the request may be tried again; 0 for one that is let in.
    """

    limit: int
    remaining: int
    resets_at: int
    retry_after: int = 0


# A window is one hash: which minute and second it counts, and how much. One call counts all.
_SPEND = """
local now = tonumber(redis.call('TIME')[1])
local minute = now - now % 60
local function spend(key, amount, of_second)
  local window = redis.call('HMGET', key, 'minute', 'second')
  if window[1] ~= tostring(minute) then
    redis.call('HSET', key, 'minute', minute, 'spent', 0)
    redis.call('EXPIRE', key, 61)
  end
  local burst = 0
  if of_second then
    if window[2] ~= tostring(now) then redis.call('HSET', key, 'second', now, 'burst', 0) end
    burst = redis.call('HINCRBY', key, 'burst', 1)
  end
  return redis.call('HINCRBY', key, 'spent', amount), burst
end
local spent, burst = spend(KEYS[1], ARGV[1], ARGV[2] == '1')
local together = spend(KEYS[2], ARGV[1], false)
return {now, spent, burst, together}
"""


class RateLimiter:
    """Counts what principals ask for."""

    def __init__(self, cache: SharedCache) -> None:
        self._cache = cache
        self._quiet_until = 0.0
        self._own: TTLCache[tuple[str, int], int] = TTLCache(REMEMBERED, MINUTE + 1)
        self._lock = threading.Lock()

    @property
    def is_shared(self) -> bool:
        """Whether the processes count together right now."""
        return time.monotonic() >= self._quiet_until

    def forget(self) -> None:
        """Begin anew: nothing was counted here, and Valkey is taken to answer."""
        self._quiet_until = 0.0
        self._own.clear()

    def charge(
        self, principal: str, limit: RateLimit, *, cost: int = 1, is_request: bool = True
    ) -> Allowance:
        """Count a request, or the further cost of one, and say what is left.

        Args:
            principal: who asks: a person, a client or an address.
            limit: theirs.
            cost: in requests.
            is_request: whether it counts in the second's burst.
        """
        now, spent, burst, together = self._spend(principal, cost, is_request)
        resets_at = now - now % MINUTE + MINUTE
        wait = 0
        if spent > limit.per_minute or together > ALL_TOGETHER_PER_MINUTE:
            wait = resets_at - now
        elif burst > limit.per_second:
            wait = 1
        if wait:
            requests_limited.inc()
        return Allowance(limit.per_minute, max(0, limit.per_minute - spent), resets_at, wait)

    def _spend(self, principal: str, cost: int, is_request: bool) -> Sequence[int]:
        if self.is_shared:
            try:
                return self._cache.run(
                    _SPEND, [f"rate:{principal}", "rate:all"], [cost, int(is_request)]
                )
            except redis.RedisError:
                self._quiet_until = time.monotonic() + SILENCE
                log.warning("Valkey does not answer; each process counts requests for itself")
        return self._spend_alone(principal, cost, is_request)

    def _spend_alone(self, principal: str, cost: int, is_request: bool) -> Sequence[int]:
        now = int(time.time())
        minute = now - now % MINUTE
        with self._lock:
            counts = []
            for key, amount in (
                ((principal, minute), cost),
                ((f"{principal} second", now), int(is_request)),
                (("all", minute), cost),
            ):
                counts.append(self._own.get(key, 0) + amount)
                self._own[key] = counts[-1]
        return now, *counts


rate_limiter = RateLimiter(shared_cache)
