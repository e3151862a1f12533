"""Quotas, forecasts and suggestions for 1,000 people and 500 territories over a million deals.

    python -m salesplatform.embedded exec -- .venv/bin/python -m benchmarks.planning [--rows N]

Works in a copy of the filled database, which is dropped afterwards (`--keep` leaves it).
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from benchmarks import report
from benchmarks.databases import PREFIX, BenchDatabase, at_server
from benchmarks.filling.fill import filled
from benchmarks.jobs import managed, measured

MOST_SECONDS_A_NIGHT = 300.0
say = functools.partial(print, flush=True)


@dataclass(frozen=True)
class Copy(BenchDatabase):
    """A copy of a filled database."""

    @property
    def name(self) -> str:
        """Its name in the server."""
        return f"{PREFIX}planning"

    def take(self) -> None:
        """Copy it, in place of one that was left."""
        self.drop()
        with at_server() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                    sql.Identifier(self.name),
                    sql.Identifier(BenchDatabase(self.rows).name),
                )
            )


def main(arguments: list[str]) -> None:
    """Copy, prepare, measure one job after the other."""
    parser = argparse.ArgumentParser(prog="benchmarks.planning")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--again", action="store_true", help="work in the copy that was kept")
    options = parser.parse_args(arguments)
    database = Copy(options.rows)
    if not options.again:
        filled(options.rows, say=say, stale=True)
        began = time.perf_counter()
        database.take()
        say(f"  copied: {time.perf_counter() - began:.1f} s")
    _run(database, "migrate", managed("migrate", "-v0"))
    if not options.again:
        _job(database, "prepare")
    try:
        for name in ("credit", "night", "night", "attainment", "pages", "suggestions", "scores"):
            _job(database, name)
    finally:
        if not options.keep:
            database.drop()


def _job(database: Copy, name: str) -> None:
    code = f"from benchmarks.crowd import {name}; {name}()"
    allowed = MOST_SECONDS_A_NIGHT if name == "night" else None
    _run(database, name, managed("shell", "-v0", "-c", code), allowed)


def _run(
    database: Copy, name: str, command: Sequence[str], allowed_seconds: float | None = None
) -> None:
    """Run a command, say what it took, and end where it fails."""
    done = measured(
        name, "deals", database.rows, command, database, allowed_seconds=allowed_seconds
    )
    say(report.job_line(done))
    if done.failure:
        raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
