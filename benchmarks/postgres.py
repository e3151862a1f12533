"""What PostgreSQL spends on a database: CPU of its backends and the number of statements."""

from __future__ import annotations

from typing import Any

import psycopg

from benchmarks.databases import BenchDatabase
from benchmarks.processes import cpu_seconds, name_of, parent_of, reaped_cpu_seconds

# Those that work because of requests; vacuum and checkpoints come and go by the clock.
_BACKENDS = """
SELECT pid, backend_type = 'autovacuum worker' FROM pg_stat_activity
WHERE datname = %s AND backend_type IN ('client backend', 'parallel worker')
   OR backend_type IN ('walwriter', 'io worker', 'autovacuum worker')
"""
_CONTROL = "^(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET|START)"
_STATEMENTS = """
SELECT coalesce(sum(calls) FILTER (WHERE query !~* %s), 0)::bigint
FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = %s)
"""
_PARALLEL = """
SELECT coalesce(sum(parallel_workers_launched), 0) FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = %s)
"""


class PostgresMeter:
    """Reads the meters of one database, from a connection that does not count."""

    def __init__(self, database: BenchDatabase, connection: psycopg.Connection[Any]) -> None:
        self.database = database
        self.connection = connection
        loaded = connection.execute("SHOW shared_preload_libraries").fetchone() or ("",)
        self._counts = "pg_stat_statements" in loaded[0]
        if self._counts:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        self._working: dict[int, float] = {}
        self._vacuums: dict[int, float] = {}
        self._gone = 0.0
        own = connection.info.backend_pid
        self.is_local = name_of(own).startswith("postgres")
        self._postmaster = parent_of(own) or 0
        self._reaped = self._parallel = 0.0

    def cpu(self) -> float:
        """CPU seconds so far; only differences mean something. NaN for a server elsewhere."""
        if not self.is_local:
            return float("nan")
        found = self.connection.execute(_BACKENDS, [self.database.name]).fetchall()
        working = {pid: cpu_seconds(pid) for pid, is_vacuum in found if not is_vacuum}
        vacuums = {pid: cpu_seconds(pid) for pid, is_vacuum in found if is_vacuum}
        ended = _ended(self._working, working)
        self._gone += max(ended, self._of_parallel_workers() - _ended(self._vacuums, vacuums))
        self._working, self._vacuums = working, vacuums
        return self._gone + sum(working.values())

    def _of_parallel_workers(self) -> float:
        """CPU seconds of children that ended since the last look, where statements had any.

        A parallel worker comes and goes between two looks, but the postmaster knows what its ended
        children spent; vacuum workers are among them.
        """
        launched, reaped = self._ask(_PARALLEL), reaped_cpu_seconds(self._postmaster)
        spent = reaped - self._reaped if launched > self._parallel else 0.0
        self._parallel, self._reaped = launched, reaped
        return spent

    def statements(self) -> float:
        """Statements so far, without those that only open and close transactions."""
        return self._ask(_STATEMENTS, _CONTROL)

    def _ask(self, query: str, *parameters: str) -> float:
        """What pg_stat_statements says of the database; NaN where the server has it not loaded."""
        if not self._counts:
            return float("nan")
        row = self.connection.execute(query, [*parameters, self.database.name]).fetchone()
        return float(row[0]) if row else float("nan")


def _ended(before: dict[int, float], now: dict[int, float]) -> float:
    """CPU seconds, as last seen, of processes that are gone."""
    return sum(spent for pid, spent in before.items() if pid not in now)
