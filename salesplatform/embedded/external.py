"""External services that replace embedded ones: can they be reached?"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from salesplatform.embedded.errors import CannotStart

SECONDS = 5
DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671}


def check_external_services(variables: Iterable[str]) -> None:
    """Refuse with a sentence that names the variable whose server does not answer."""
    for variable in variables:
        _check(variable, os.environ[variable], ATTEMPTS[variable])


def _check(variable: str, url: str, attempt: Callable[[str], None]) -> None:
    try:
        attempt(url)
    except (OSError, ValueError, psycopg.Error, redis.RedisError) as error:
        reason = str(error).strip().splitlines()[-1].strip().rstrip(".")
        raise CannotStart(
            f"{variable} names a server at {_address(url)} that cannot be used: {reason}."
        ) from None


def _connect_database(url: str) -> None:
    _, _, rest = url.partition("://")
    psycopg.connect(f"postgresql://{rest}", connect_timeout=SECONDS).close()


def _ping_redis(url: str) -> None:
    client = redis.from_url(url, socket_timeout=SECONDS, retry=Retry(NoBackoff(), 0))
    try:
        client.ping()
    finally:
        client.close()


def _reach_broker(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme.startswith("redis"):
        _ping_redis(url)
    else:
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 5672)
        socket.create_connection((parts.hostname or "localhost", port), timeout=SECONDS).close()


def _address(url: str) -> str:
    """Host and port: the sentence must not show the password."""
    return urlsplit(url).netloc.rpartition("@")[2] or "an unknown address"


ATTEMPTS: dict[str, Callable[[str], None]] = {
    "DATABASE_URL": _connect_database,
    "REDIS_URL": _ping_redis,
    "CELERY_BROKER_URL": _reach_broker,
}
