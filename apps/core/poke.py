"""Waking the deliverer: a nudge over Valkey after a commit, and a poll each second without it."""

from __future__ import annotations

import logging
import time
from functools import cached_property

import redis
from django.conf import settings
from django.db import connection, transaction

log = logging.getLogger(__name__)

CHANNEL = "journal:poke"
REST = 0.02
SILENCE = 5.0


class Poke:
    """Tells a waiting deliverer that there is something to do. Losing a poke costs a second.

    Whoever nudged keeps still for a while, and whoever was nudged looks again after as long: many
    changes in a row take a nudge now and then, and none is heard of late.
    """

    def __init__(self) -> None:
        self._quiet_until = 0.0
        self._was_nudged = False

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
    def _subscription(self) -> redis.client.PubSub:
        """Kept while the listener works: what it is told meanwhile, it finds when it waits."""
        client = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=1,
            socket_connect_timeout=0.2,
            health_check_interval=30,
        )
        subscription = client.pubsub(ignore_subscribe_messages=True)
        subscription.subscribe(CHANNEL)
        return subscription

    def after_commit(self) -> None:
        """Nudge once the running transaction is committed, however many events it publishes."""
        if not any(entry[1] == self.now for entry in connection.run_on_commit):
            transaction.on_commit(self.now, robust=True)

    def now(self) -> None:
        """Nudge. When Valkey is away, stay quiet for a while and leave it to the poll."""
        moment = time.monotonic()
        if moment < self._quiet_until:
            return
        self._quiet_until = moment + REST
        try:
            herald = self._heralds.get_connection()
            try:
                herald.send_command("PUBLISH", CHANNEL, b"")
            finally:
                self._heralds.release(herald)
        except redis.RedisError:
            self._quiet_until = moment + SILENCE
            log.warning("Valkey does not answer; events are delivered by the poll")

    def wait(self, seconds: float) -> None:
        """Sleep until nudged, at most this long; after a nudge only while who nudged is still."""
        longest = min(REST, seconds) if self._was_nudged else seconds
        try:
            self._was_nudged = self._hears(longest)
        except redis.RedisError:
            self.__dict__.pop("_subscription", None)
            self._was_nudged = False
            time.sleep(longest)

    def _hears(self, seconds: float) -> bool:
        """Whether there was a nudge by then; all that came so far are one."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self._subscription.get_message(timeout=left):
                while self._subscription.get_message():
                    pass
                return True
        return False


def _ask_for_no_replies(connection: redis.Connection) -> None:
    connection.on_connect()
    connection.send_command("CLIENT", "REPLY", "OFF")


poke = Poke()
