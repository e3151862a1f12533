"""The cache shared by all processes: one maker at a time, and a miss when Valkey is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import redis
from django.conf import settings

log = logging.getLogger(__name__)

SILENCE = 2.0
MAKING_SECONDS = 5
WAIT_STEP = 0.05


class SharedCache:
    """JSON values in Valkey under keys with a time to live.

    The cache is never the truth: without Valkey every value is made anew.
    """

    def __init__(self) -> None:
        self._client: redis.Redis | None = None
        self._quiet_until = 0.0
        self._prefix = ""
        self._scripts: dict[str, Any] = {}

    @property
    def client(self) -> redis.Redis:
        """The connection, made when first needed."""
        if self._client is None:
            self._client = redis.Redis.from_url(
                settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.2
            )
        return self._client

    def keep_apart(self, prefix: str) -> None:
        """Put a prefix before every key, so that users of one server don't meet."""
        self._prefix = prefix

    def apart(self, key: str) -> str:
        """A key as it stands in Valkey, for libraries that keep theirs beside ours."""
        return self._prefix + key

    def get_or_make(self, key: str, seconds: int, make: Callable[[], Any]) -> Any:
        """The cached value, or a new one that one caller makes while the others wait for it."""
        key = self.apart(key)
        found = self._ask(lambda client: client.get(key))
        if found is not None:
            return orjson.loads(found)
        if self._ask(lambda client: client.set(f"{key}:making", b"1", nx=True, ex=MAKING_SECONDS)):
            return self._put(key, seconds, make())
        return self._wait_for(key, seconds, make)

    def _put(self, key: str, seconds: int, value: Any) -> Any:
        """Keep a value; returns it."""

        def keep(client: redis.Redis) -> None:
            pipeline = client.pipeline(transaction=False)
            pipeline.set(key, orjson.dumps(value), ex=seconds)
            pipeline.delete(f"{key}:making")
            pipeline.execute()

        self._ask(keep)
        return value

    def run(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run a script on the server in one step. Raises RedisError."""
        if script not in self._scripts:
            self._scripts[script] = self.client.register_script(script)
        return self._scripts[script](keys=[self._prefix + key for key in keys], args=arguments)

    def generation(self, name: str) -> int:
        """A number that changes when everything cached under a name became stale."""
        return int(self._ask(lambda client: client.get(f"{self._prefix}generation:{name}")) or 0)

    def make_stale(self, name: str) -> None:
        """Let everything cached under a name be made anew."""
        self._ask(lambda client: client.incr(f"{self._prefix}generation:{name}"))

    def _wait_for(self, key: str, seconds: int, make: Callable[[], Any]) -> Any:
        """Another caller is making the value; make it ourselves when that takes too long."""
        deadline = time.monotonic() + MAKING_SECONDS
        while time.monotonic() < deadline and time.monotonic() >= self._quiet_until:
            time.sleep(WAIT_STEP)
            found = self._ask(lambda client: client.get(key))
            if found is not None:
                return orjson.loads(found)
            if not self._ask(lambda client: client.exists(f"{key}:making")):
                break
        return self._put(key, seconds, make())

    def _ask(self, question: Callable[[redis.Redis], Any]) -> Any:
        if time.monotonic() < self._quiet_until:
            return None
        try:
            return question(self.client)
        except redis.RedisError:
            self._quiet_until = time.monotonic() + SILENCE
            log.warning("Valkey does not answer; values are made anew")
            return None


shared_cache = SharedCache()
