"""Fills a database: schema by the migrations, rows by COPY, indexes afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.databases import ROOT, BenchDatabase, fingerprint
from benchmarks.filling.columns import COLUMNS
from benchmarks.filling.market import PASSWORD, Market
from benchmarks.filling.rows import DAY, YEARS, Company

CHUNK = 2_000
LARGE = (
    "accounts_account",
    "accounts_accountassignment",
    "leads_lead",
    "leads_leadassignment",
    "opportunities_opportunity",
    "opportunities_opportunityassignment",
    "opportunities_opportunitychange",
    "opportunities_stagespan",
)
_ASSIGNMENTS = """
INSERT INTO {history} (id, created_at, updated_at, owner_id, territory_id, valid, cause, reason,
                       actor_id, record_id)
SELECT uuidv7(), created_at, created_at, owner_id, territory_id, tstzrange(created_at, NULL),
       'rule', 'By country and state.', {system}, id
FROM {records} WHERE owner_id IS NOT NULL OR territory_id IS NOT NULL
"""
Say = Callable[[str], None]


def filled(
    rows: int, *, say: Say = print, anew: bool = False, stale: bool = False
) -> BenchDatabase:
    """The database of a size, filled unless it is there and of the same schema and generator.

    Args:
        rows: leads, and as many opportunities.
        say: tells of each step.
        anew: fills in any case.
        stale: takes a database of another schema or generator as it is.
    """
    database = BenchDatabase(rows)
    state = database.state()
    if state and not anew and (stale or state["fingerprint"] == fingerprint()):
        say(f"{database.name}: already filled.")
        return database
    started = time.perf_counter()
    Filler(database, say).fill()
    seconds = time.perf_counter() - started
    database.mark_filled(seconds=round(seconds))
    say(f"{database.name}: filled in {seconds:.0f} s.")
    return database


class Filler:
    """Fills a database step by step. The steps that write rows work in any database of today's
    schema, through a connection to it."""

    def __init__(self, database: BenchDatabase, say: Say) -> None:
        self.database = database
        self.say = say
        self.now = time.time()
        self.market = Market(self.now - YEARS * 365 * DAY)
        self.company = Company(database.rows, self.market, self.now)

    def fill(self) -> None:
        """Everything, step by step."""
        with self._step("schema"):
            self.database.create()
            self._manage("migrate", "--verbosity", "0")
            self._manage("seed")
        with self.database.connect() as connection:
            connection.execute("SET maintenance_work_mem = '512MB'")
            connection.execute("SET synchronous_commit = off")
            kept = _take_off(connection)
            self.write_people(connection)
            self.write_accounts(connection)
            self.write_leads(connection)
            self.write_deals(connection)
            self.write_assignments(connection)
            with self._step("indexes and constraints"):
                for statement in kept:
                    connection.execute(statement)
            connection.execute("ANALYZE")
            with self._step("forecasts"):
                self._manage("compute_forecasts")
            with self._step("vacuum and statistics"):
                connection.execute("VACUUM (ANALYZE, FREEZE)")
                connection.execute("CHECKPOINT")

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.say(f"  {name}: {time.perf_counter() - started:.1f} s")

    def _manage(self, *arguments: str) -> None:
        subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**os.environ, **self.database.environment},
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def write_people(self, connection: psycopg.Connection[Any]) -> None:
        """People, territories and members; looks up the stages that deals will stand in."""
        password = _hashed(PASSWORD)
        write_rows(connection, "users_user", self.market.people_rows(password))
        rows = self.market.territory_rows()
        write_rows(connection, "territories_territory", rows)
        write_rows(connection, "territories_territorymember", self.market.member_rows())
        found = connection.execute(
            "SELECT key, id::text, kind, pipeline_id FROM opportunities_stage"
        )
        for key, stage_id, kind, pipeline_id in found.fetchall():
            self.company.stages[key] = stage_id, kind
            self.company.pipeline = str(pipeline_id)

    def write_accounts(self, connection: psycopg.Connection[Any]) -> None:
        """Accounts."""
        with self._step("accounts"):
            rows = self.company.account_rows()
            write_rows(connection, "accounts_account", rows)

    def write_leads(self, connection: psycopg.Connection[Any]) -> None:
        """Leads and their data keys side by side, each over its own connection."""
        with (
            self._step("leads with their data keys"),
            self.database.connect() as second,
            _Writer(connection, "leads_lead") as leads,
            _Writer(second, "core_datakey") as keys,
        ):
            for key, lead in self.company.lead_rows():
                keys.write(key)
                leads.write(lead)

    def write_deals(self, connection: psycopg.Connection[Any]) -> None:
        """Deals, spans and changes side by side, each over its own connection."""
        with (
            self._step("opportunities with stage spans and changes"),
            self.database.connect() as second,
            self.database.connect() as third,
            _Writer(connection, "opportunities_opportunity") as deals,
            _Writer(second, "opportunities_stagespan") as spans,
            _Writer(third, "opportunities_opportunitychange") as changes,
        ):
            for row, its_spans, its_changes in self.company.deal_rows():
                deals.write(row)
                for one in its_spans:
                    spans.write(one)
                for one in its_changes:
                    changes.write(one)

    def write_assignments(self, connection: psycopg.Connection[Any]) -> None:
        """Who everything belonged to."""
        with self._step("assignment history"):
            for app, record in (
                ("leads", "lead"),
                ("accounts", "account"),
                ("opportunities", "opportunity"),
            ):
                connection.execute(
                    sql.SQL(_ASSIGNMENTS).format(
                        history=sql.Identifier(f"{app}_{record}assignment"),
                        records=sql.Identifier(f"{app}_{record}"),
                        system=sql.Literal("00000000-0000-7000-8000-000000000001"),
                    )
                )


class _Writer:
    """COPY into one table, in blocks."""

    def __init__(self, connection: psycopg.Connection[Any], table: str) -> None:
        self._cursor = connection.cursor()
        self._context = self._cursor.copy(
            sql.SQL("COPY {} ({}) FROM STDIN").format(
                sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, COLUMNS[table]))
            )
        )
        self._lines: list[str] = []

    def __enter__(self) -> _Writer:
        self._copy = self._context.__enter__()
        return self

    def __exit__(self, *failure: Any) -> None:
        if failure[0] is None:
            self._flush()
        self._context.__exit__(*failure)

    def write(self, row: Sequence[str]) -> None:
        """Add a row."""
        self._lines.append("\t".join(row))
        if len(self._lines) >= CHUNK:
            self._flush()

    def _flush(self) -> None:
        if self._lines:
            self._copy.write("\n".join(self._lines) + "\n")
            self._lines.clear()


def write_rows(
    connection: psycopg.Connection[Any], table: str, rows: Iterable[Sequence[str]]
) -> None:
    """COPY rows into a table."""
    with _Writer(connection, table) as writer:
        for row in rows:
            writer.write(row)


_CONSTRAINTS = """
SELECT c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid), c.contype
FROM pg_constraint c
WHERE c.conrelid = ANY(%(tables)s::regclass[]) AND c.contype IN ('f', 'u', 'x')
ORDER BY c.contype DESC
"""
_INDEXES = """
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
FROM pg_index i
WHERE i.indrelid = ANY(%(tables)s::regclass[]) AND NOT i.indisprimary
  AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid
                  AND c.conrelid = i.indrelid)
"""


def _take_off(connection: psycopg.Connection[Any]) -> list[str]:
    """Drop what makes loading slow; returns the statements that make it again, checked."""
    tables = {"tables": list(LARGE)}
    again = []
    indexes = connection.execute(_INDEXES, tables).fetchall()
    constraints = connection.execute(_CONSTRAINTS, tables).fetchall()
    for table, name, definition, _ in sorted(constraints, key=lambda one: one[3] != "f"):
        connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        again.append(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
    for name, definition in indexes:
        connection.execute(f"DROP INDEX {name}")
        again.append(definition)
    for table in LARGE:
        # What was there before the history begins has none.
        connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        again.append(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    # Foreign keys come last: they are checked through the indexes.
    return sorted(again, key=lambda one: " FOREIGN KEY " in one)


def _hashed(password: str) -> str:
    """The password as the platform stores it."""
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import sys, django; django.setup(); "
            "from django.contrib.auth.hashers import make_password; "
            "print(make_password(sys.argv[1]))",
            password,
        ],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "salesplatform.settings.local"},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()
