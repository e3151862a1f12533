"""Attempts to sign in, counted before the password is looked at.

Each attempt is counted as a failure first and taken back when it succeeds, so of many at once no
more are looked at than are let pass. Counted in Valkey; without it, in the database.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import redis
from django.conf import settings
from django.db import transaction

from apps.core.cache import shared_cache
from apps.users.models import FailedSignIns
from apps.users.rules.patience import WITH_ACCOUNT, WITH_ADDRESS, Patience

log = logging.getLogger(__name__)

REMEMBERED = timedelta(days=1)

_TAKE = """
local now, free = tonumber(ARGV[1]), tonumber(ARGV[2])
local till = tonumber(redis.call('HGET', KEYS[1], 'till') or '0')
if till > now then return {0, till - now} end
local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
local wait = 0
if failures >= free then
  wait = math.min(tonumber(ARGV[4]), tonumber(ARGV[3]) * 2 ^ math.min(failures - free, 20))
  redis.call('HSET', KEYS[1], 'till', now + wait)
end
redis.call('EXPIRE', KEYS[1], ARGV[5])
return {1, wait}
"""
_GIVE_BACK = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HDEL', KEYS[1], 'till')
return redis.call('HINCRBY', KEYS[1], 'failures', -1)
"""
_FORGET = "return redis.call('DEL', KEYS[1])"


@dataclass(frozen=True)
class Attempts:
    """Somebody's attempts: those on an account, or those from an address."""

    key: str
    patience: Patience

    def take(self) -> tuple[bool, int]:
        """Count one: whether it may be looked at, and the seconds to wait from now on."""
        now, wait = int(time.time()), self.patience
        try:
            may, seconds = shared_cache.run(
                _TAKE,
                [self.key],
                [
                    now,
                    wait.free,
                    wait.first_wait,
                    wait.longest_wait,
                    int(REMEMBERED.total_seconds()),
                ],
            )
        except redis.RedisError:
            log.warning("Valkey does not answer; attempts to sign in are counted in the database")
            return self._take_in_database(now)
        return bool(may), int(seconds)

    @transaction.atomic
    def _take_in_database(self, now: int) -> tuple[bool, int]:
        FailedSignIns.objects.get_or_create(key=self.key)
        row = FailedSignIns.objects.select_for_update().get(key=self.key)
        if row.locked_until is not None and (left := row.locked_until.timestamp() - now) > 0:
            return False, int(left)
        is_old = row.updated_at.timestamp() < now - REMEMBERED.total_seconds()
        row.failures = 1 if is_old else row.failures + 1
        wait = self.patience.wait_after(row.failures)
        row.locked_until = datetime.fromtimestamp(now + wait, UTC) if wait else None
        row.save()
        return True, wait

    def give_back(self) -> None:
        """The attempt that was taken last succeeded: it counts no more."""
        try:
            shared_cache.run(_GIVE_BACK, [self.key], [])
        except redis.RedisError:
            with transaction.atomic():
                rows = FailedSignIns.objects.select_for_update().filter(key=self.key)
                for row in rows:
                    row.failures, row.locked_until = max(0, row.failures - 1), None
                    row.save()

    def forget(self) -> None:
        """Whoever owns the account is here: all failures are forgotten."""
        try:
            shared_cache.run(_FORGET, [self.key], [])
        except redis.RedisError:
            log.warning("Valkey does not answer; its failed sign-ins are forgotten by the clock")
        FailedSignIns.objects.filter(key=self.key).delete()


def digest_of_name(name: str) -> bytes:
    """Stands for an address that must not be kept; nobody else can make it."""
    secret = settings.SECRET_KEY.encode()[:64]
    return blake2b(name.strip().casefold().encode(), key=secret, digest_size=16).digest()


def on_account(email: str) -> Attempts:
    """Those with an e-mail address, whether somebody has it or not."""
    return Attempts(f"sign-in:account:{digest_of_name(email).hex()}", WITH_ACCOUNT)


def on_code(email: str) -> Attempts:
    """Those with codes of a second factor."""
    return Attempts(f"sign-in:code:{digest_of_name(email).hex()}", WITH_ACCOUNT)


def from_address(address: str) -> Attempts:
    """Those from a network address."""
    return Attempts(f"sign-in:address:{digest_of_name(address).hex()}", WITH_ADDRESS)
