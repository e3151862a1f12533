"""The benchmark's own databases, beside the real one in the same server and never that one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

PREFIX = "salesplatform_bench_"
ROOT = Path(__file__).resolve().parent.parent
# Totals and reach are cached under keys that two databases would share.
REDIS_DATABASE = 9


def server_url() -> str:
    """The server that the environment names. Raises SystemExit where it names none."""
    if url := os.environ.get("DATABASE_URL"):
        return url
    raise SystemExit(
        "DATABASE_URL names no server: run `make bench`, or "
        "`python -m salesplatform.embedded exec -- python -m benchmarks`."
    )


def short(rows: int) -> str:
    """A number of rows as people say it: 10k, 1m."""
    for size, letter in ((1_000_000, "m"), (1_000, "k")):
        if rows >= size and rows % size == 0:
            return f"{rows // size}{letter}"
    return str(rows)


def fingerprint() -> str:
    """What a filled database depends on: the schema and the generator."""
    files = [*ROOT.glob("apps/*/migrations/*.py"), *Path(__file__).parent.glob("filling/*.py")]
    digest = blake2b(digest_size=8)
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class BenchDatabase:
    """A database with so many leads and as many opportunities."""

    rows: int

    @property
    def name(self) -> str:
        """Its name in the server."""
        return PREFIX + short(self.rows)

    @cached_property
    def url(self) -> str:
        """How to connect to it."""
        return urlunsplit(urlsplit(server_url())._replace(path=f"/{self.name}"))

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the platform works on it."""
        redis = urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{REDIS_DATABASE}")
        return {
            "DATABASE_URL": self.url,
            "REDIS_URL": urlunsplit(redis),
            "CELERY_BROKER_URL": urlunsplit(redis),
            "LOG_LEVEL": "WARNING",
        }

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """A connection of our own, committing each statement."""
        return psycopg.connect(self.url, autocommit=True, **options)

    def state(self) -> dict[str, Any] | None:
        """What it was filled with; None where it is missing or was never finished."""
        with at_server() as connection:
            found = connection.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
                [self.name],
            ).fetchone()
        if found is None or not found[0]:
            return None
        state: dict[str, Any] = json.loads(found[0])
        return state

    def mark_filled(self, **facts: Any) -> None:
        """Note that it is complete, and of which schema and generator it is."""
        text = json.dumps({"fingerprint": fingerprint(), "rows": self.rows, **facts})
        with at_server() as connection:
            connection.execute(
                sql.SQL("COMMENT ON DATABASE {} IS {}").format(
                    sql.Identifier(self.name), sql.Literal(text)
                )
            )

    def create(self) -> None:
        """Make it anew, empty."""
        self.drop()
        with at_server() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(self.name))
            )

    def drop(self) -> None:
        """Remove it."""
        _drop(self.name)


def drop_all() -> list[str]:
    """Remove every database of the benchmark; returns their names."""
    with at_server() as connection:
        found = connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX]
        ).fetchall()
    names = [name for (name,) in found]
    for name in names:
        _drop(name)
    return names


def _drop(name: str) -> None:
    assert name.startswith(PREFIX)
    with at_server() as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def server_in_words() -> str:
    """Which PostgreSQL it is, and how much it may cache."""
    with at_server() as connection:
        row = connection.execute(
            "SELECT current_setting('server_version'), current_setting('shared_buffers')"
        ).fetchone()
    version, buffers = row or ("", "")
    return f"PostgreSQL {version.split()[0]} with {buffers} of shared buffers"


@contextmanager
def at_server() -> Iterator[psycopg.Connection[Any]]:
    """A connection to the server that counts for no benchmark database."""
    url = urlunsplit(urlsplit(server_url())._replace(path="/postgres"))
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
