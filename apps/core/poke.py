"""Waking the deliverer: a nudge over Valkey after a commit, and a poll each second without it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cached_property

import redis
from django.conf import settings
from django.db import connection, transaction

log = logging.getLogger(__name__)

CHANNEL = "journal:poke"
SILENCE = 5.0


class Poke:
    """Tells a waiting deliverer that there is something to do. Losing a poke costs a second."""

    def __init__(self) -> None:
        self._quiet_until = 0.0

    @cached_property
    def _heralds(self) -> redis.ConnectionPool:
        """Connections on which Valkey answers nothing, so that nobody waits for it."""
        return redis.ConnectionPool.from_url(
            settings.REDIS_URL,
            socket_timeout=1,
            socket_connect_timeout=0.2,
            redis_connect_func=_ask_for_no_replies,
        )

    @cached_property
    def _listener(self) -> redis.Redis:
        return redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=0.2
        )

    def after_commit(self) -> None:
        """Nudge once the running transaction is committed, however many events it publishes."""
        planned: list[Callable[[], object]] = [entry[1] for entry in connection.run_on_commit]
        if self.now not in planned:
            transaction.on_commit(self.now, robust=True)

    def now(self) -> None:
        """Nudge. When Valkey is away, stay quiet for a while and leave it to the poll."""
        if time.monotonic() < self._quiet_until:
            return
        try:
            herald = self._heralds.get_connection()
            try:
                herald.send_command("PUBLISH", CHANNEL, b"")
            finally:
                self._heralds.release(herald)
        except redis.RedisError:
            self._quiet_until = time.monotonic() + SILENCE
            log.warning("Valkey does not answer; events are delivered by the poll")

    def wait(self, seconds: float) -> None:
        """Sleep until nudged, at most this long."""
        try:
            with self._listener.pubsub(ignore_subscribe_messages=True) as subscription:
                subscription.subscribe(CHANNEL)
                subscription.get_message(timeout=0.2)
                subscription.get_message(timeout=seconds)
        except redis.RedisError:
            time.sleep(seconds)


def _ask_for_no_replies(connection: redis.Connection) -> None:
    connection.on_connect()
    connection.send_command("CLIENT", "REPLY", "OFF")


poke = Poke()
