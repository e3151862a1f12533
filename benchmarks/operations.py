"""What is measured: requests as people of the sales floor make them."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any
from uuid import uuid4

import psycopg

from benchmarks.client import Call, Client
from benchmarks.databases import BenchDatabase
from benchmarks.filling import words
from benchmarks.filling.market import PASSWORD
from benchmarks.filling.rows import OPEN_STAGES

TOKEN_SECONDS = 600
API = "/api/v1"


class Bench:
    """What operations need to know of the database and its people."""

    def __init__(self, database: BenchDatabase, port: int) -> None:
        self.database = database
        self._client = Client(port, 0)
        self._tokens: dict[str, tuple[str, float]] = {}
        self._numbers = itertools.count(time.time_ns() // 1_000_000 % 10**10)
        self.random = random.Random(3)

    @cached_property
    def connection(self) -> psycopg.Connection[Any]:
        """For looking up what to ask for; not what is measured."""
        return self.database.connect()

    def token(self, who: str) -> str:
        """The access token of `<who>@bench.test`, by the real sign-in."""
        token, since = self._tokens.get(who, ("", 0.0))
        if time.monotonic() - since > TOKEN_SECONDS or not token:
            body = {"email": f"{who}@bench.test", "password": PASSWORD}
            token = self._client.one(Call("POST", f"{API}/auth/token", body=body))["access"]
            self._tokens[who] = token, time.monotonic()
        return token

    def ask(self, call: Call) -> Any:
        """The answer to a single call that is not measured."""
        return self._client.one(call)

    def number(self) -> int:
        """One that was never given before, in this run or another."""
        return next(self._numbers)

    def in_days(self, days: int) -> str:
        """A coming day."""
        return (date.today() + timedelta(days=days)).isoformat()  # noqa: DTZ011

    @cached_property
    def western_territories(self) -> list[str]:
        """What the manager heads."""
        return self.ids(
            "WITH RECURSIVE branch(id) AS (SELECT id FROM territories_territory WHERE name = 'West'"
            " UNION SELECT t.id FROM territories_territory t JOIN branch b"
            " ON t.parent_territory_id = b.id) SELECT id FROM branch"
        )

    @cached_property
    def western_leaves(self) -> list[str]:
        """Those of them that hold rows."""
        return self.ids(
            "SELECT id FROM territories_territory WHERE id = ANY(%s::uuid[]) AND countries <> '{}'",
            self.western_territories,
        )

    def ids(self, query: str, *parameters: Any) -> list[str]:
        """First columns of a query, as text."""
        return [str(row[0]) for row in self.connection.execute(query, parameters).fetchall()]


Calls = Callable[[Bench, int], Sequence[Call]]


@dataclass(frozen=True)
class Operation:
    """A kind of request.

    Attributes:
        name: as the report shows it.
        calls: makes so many requests.
        target: milliseconds that the source allows at p95.
        most_ratio: times the ceiling's CPU that the bar allows.
        most_cpu: CPU milliseconds that the bar allows.
        is_flat: whether a hundred times the rows may cost a fifth more and not above.
    """

    name: str
    calls: Calls
    target: float | None = None
    most_ratio: float | None = None
    most_cpu: float | None = None
    is_flat: bool = False


OPERATIONS: dict[str, Operation] = {}


def operation(name: str, **bars: Any) -> Callable[[Calls], Calls]:
    """Declare an operation."""

    def declare(calls: Calls) -> Calls:
        OPERATIONS[name] = Operation(name, calls, **bars)
        return calls

    return declare


def _read(name: str, path: str, *people: str, **bars: Any) -> None:
    for who in people:

        def calls(bench: Bench, count: int, who: str = who) -> list[Call]:
            return [Call("GET", API + path, bench.token(who))] * count

        operation(f"{name}_{who}", **bars)(calls)


def _write(name: str, **bars: Any) -> Callable[[Calls], Calls]:
    return operation(name, **{"most_cpu": 5, **bars})


# --- Reading ----------------------------------------------------------------------------------
HOT = {"target": 100, "most_ratio": 3.5}
SEARCH = {"target": 200}
EVERYBODY = ("rep", "manager", "admin")
FLAT = {"is_flat": True}

_read("leads_page_1", "/leads", *EVERYBODY, **HOT, **FLAT)
_read("leads_filtered", "/leads?status=new,contacted&score_min=40", "rep", "manager", **HOT)
_read("leads_by_score", "/leads?ordering=-score", "rep", "manager", **HOT)
_read("leads_search_common", "/leads?search=smith", "rep", "manager", **SEARCH)
_read("leads_search_rare", "/leads?search=aurora+robotics+jen", "rep", "manager", **SEARCH)
_read("leads_offset_1000", "/leads?offset=1000", "manager", **HOT)
_read("opportunities_page_1", "/opportunities", *EVERYBODY, **HOT, **FLAT)
_read(
    "opportunities_filtered",
    "/opportunities?stage=proposal,negotiation&amount_min=50000",
    *("rep", "manager"),
    **HOT,
)
_read("opportunities_by_amount", "/opportunities?ordering=-amount", "rep", "manager", **HOT)
_read("opportunities_search", "/opportunities?search=aurora+robotics", "rep", "manager", **SEARCH)
_read("opportunities_offset_1000", "/opportunities?offset=1000", "manager", **HOT)
_read("pipeline_quarter", "/opportunities/pipeline", *EVERYBODY, target=300)
_read("pipeline_year", f"/opportunities/pipeline?period=FY_{date.today().year}", *EVERYBODY)  # noqa: DTZ011
# Of ten thousand rows the rep's accounts fill no page, so there is nothing to compare.
_read("accounts_page_1", "/accounts", "rep", **HOT)
_read("accounts_page_1", "/accounts", "manager", **HOT, **FLAT)
_read("accounts_search", "/accounts?search=aurora", "manager", **SEARCH)
_read("territories", "/territories", "rep", "manager", target=80)


def _deep(name: str, path: str, pages: int = 20) -> None:
    @operation(name, **HOT)
    def calls(bench: Bench, count: int) -> list[Call]:
        token, cursor = bench.token("manager"), ""
        for _ in range(pages):
            page = bench.ask(Call("GET", f"{API}{path}?limit=200{cursor}", token))["pagination"]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        return [Call("GET", f"{API}{path}?limit=50{cursor}", token)] * count


_deep("leads_deep_cursor_manager", "/leads")
_deep("opportunities_deep_cursor_manager", "/opportunities")

_WITHIN_WEST = "territory_id = ANY(%s::uuid[])"


def _subjects(bench: Bench, table: str, condition: str, count: int) -> list[str]:
    """Ids of rows that the manager sees, spread over the table, each once."""
    ids = bench.ids(
        f"SELECT id FROM {table} WHERE deleted_at IS NULL AND {_WITHIN_WEST} AND {condition}",
        bench.western_territories,
    )
    bench.random.shuffle(ids)
    return [ids[place % len(ids)] for place in range(count)]


@operation("lead", target=100)
def _lead(bench: Bench, count: int) -> list[Call]:
    token = bench.token("manager")
    ids = _subjects(bench, "leads_lead", "merged_into_id IS NULL", count)
    return [Call("GET", f"{API}/leads/{one}", token) for one in ids]


@operation("opportunity", target=100)
def _opportunity(bench: Bench, count: int) -> list[Call]:
    token = bench.token("manager")
    ids = _subjects(bench, "opportunities_opportunity", "TRUE", count)
    return [Call("GET", f"{API}/opportunities/{one}", token) for one in ids]


def _graphql(name: str, query: str, **bars: Any) -> None:
    for who in ("rep", "manager"):

        def calls(bench: Bench, count: int, who: str = who) -> list[Call]:
            body = {"query": query, "variables": {"limit": 50}}
            return [Call("POST", "/graphql", bench.token(who), body)] * count

        operation(f"{name}_{who}", target=100, **bars)(calls)


_graphql(
    "graphql_leads",
    """query Leads($limit: Int) { leads(limit: $limit) { totalCount hasMore nodes {
      id status source firstName lastName email phone company title industry country city score
      lastActivityAt createdAt updatedAt assignedTo { id name } territory { id name } } } }""",
    most_cpu=10,
)
_graphql(
    "graphql_opportunities_three_levels",
    """query Deals($limit: Int) { opportunities(limit: $limit) { nodes {
      id name stage amount probability expectedCloseDate dealScore
      account { name industry owner { name email } }
      owner { name email } territory { name owner { name } } } } }""",
)


# --- Writing ----------------------------------------------------------------------------------
def _new_lead(bench: Bench) -> dict[str, Any]:
    number, states = bench.number(), words.STATES
    return {
        "source": "website",
        "email": f"new.{number}@aurora{number}.example",
        "first_name": "Nadia",
        "last_name": words.LAST_NAMES[number % len(words.LAST_NAMES)],
        "phone": f"+1 202 555 {number % 10_000:04d}",
        "company": f"Aurora {number} Ltd",
        "title": "Head of Procurement",
        "industry": "Software",
        "employee_count": 250,
        "annual_revenue": 12_000_000,
        "country": "US",
        "state": states[number % len(states)],
        "city": "Springfield",
        "postal_code": "94105",
        "metadata": {"campaign": "spring"},
    }


@_write("lead_create", target=150, most_cpu=6)
def _lead_create(bench: Bench, count: int) -> list[Call]:
    token = bench.token("manager")
    return [Call("POST", f"{API}/leads", token, _new_lead(bench)) for _ in range(count)]


@_write("lead_create_idempotent", target=150, most_cpu=6)
def _lead_create_idempotent(bench: Bench, count: int) -> list[Call]:
    token = bench.token("manager")
    return [
        Call("POST", f"{API}/leads", token, _new_lead(bench), {"Idempotency-Key": str(uuid4())})
        for _ in range(count)
    ]


@_write("lead_change", target=150)
def _lead_change(bench: Bench, count: int) -> list[Call]:
    token = bench.token("manager")
    return [
        Call("PATCH", f"{API}/leads/{one}", token, {"title": f"Director {bench.number()}"})
        for one in _subjects(bench, "leads_lead", "merged_into_id IS NULL", count)
    ]


@_write("lead_qualify", target=150)
def _lead_qualify(bench: Bench, count: int) -> list[Call]:
    token = bench.token("manager")
    ids = _subjects(bench, "leads_lead", "status = ANY('{new,contacted,qualified}')", count)
    # Each run finds its leads as fresh as the first.
    bench.connection.execute(
        "UPDATE leads_lead SET status = 'contacted' WHERE id = ANY(%s::uuid[])", [ids]
    )
    return [Call("POST", f"{API}/leads/{one}/qualify", token, {}) for one in dict.fromkeys(ids)]


@_write("territory_assign", target=100)
def _territory_assign(bench: Bench, count: int) -> list[Call]:
    token = bench.token("manager")
    ids = _subjects(bench, "leads_lead", "status = ANY('{new,contacted,qualified}')", count)
    return [
        Call(
            *("POST", f"{API}/territories/assign", token),
            {"lead_id": one, "territory_id": bench.random.choice(bench.western_leaves)},
        )
        for one in ids
    ]


def _next_stage(stage: str) -> str:
    keys = [one[0] for one in OPEN_STAGES]
    return keys[keys.index(stage) + 1]


@_write("opportunity_stage", target=150)
def _opportunity_stage(bench: Bench, count: int) -> list[Call]:
    token = bench.token("manager")
    rows = bench.connection.execute(
        "SELECT id::text, stage_key FROM opportunities_opportunity WHERE deleted_at IS NULL "
        "AND kind = 'open' AND stage_key <> 'negotiation' "
        f"AND {_WITHIN_WEST} ORDER BY random() LIMIT %s",
        [bench.western_territories, count],
    ).fetchall()
    return [
        Call(
            *("PUT", f"{API}/opportunities/{deal}/stage", token),
            {"stage": _next_stage(stage), "next_step": "Call", "notes": "Measured."},
        )
        for deal, stage in rows
    ]


@_write("opportunity_change", target=150)
def _opportunity_change(bench: Bench, count: int) -> list[Call]:
    token = bench.token("manager")
    return [
        Call(
            *("PUT", f"{API}/opportunities/{one}", token),
            {"amount": 1000 + bench.number() % 90_000, "next_step": "Send the contract"},
        )
        for one in _subjects(bench, "opportunities_opportunity", "kind = 'open'", count)
    ]


@_write("opportunity_create", target=150)
def _opportunity_create(bench: Bench, count: int) -> list[Call]:
    token = bench.token("manager")
    return [
        Call(
            *("POST", f"{API}/opportunities", token),
            {
                "name": f"Benchmark {bench.number()}",
                "account_id": one,
                "amount": 25_000,
                "expected_close_date": bench.in_days(60),
                "next_step": "Book a demo",
            },
        )
        for one in _subjects(bench, "accounts_account", "TRUE", count)
    ]


# --- Forecasts --------------------------------------------------------------------------------
_THIS_YEAR = f"FY_{date.today().year}"  # noqa: DTZ011


@_write("forecast_create", target=200)
def _forecast_create(bench: Bench, count: int) -> list[Call]:
    token = bench.token("manager")
    return [
        Call(
            *("POST", f"{API}/forecasts", token),
            {
                "period": _THIS_YEAR,
                "territory_id": bench.random.choice(bench.western_leaves),
                "forecast_type": "commit",
                "amount": 1_000_000 + bench.number() % 100_000,
                "notes": "By pipeline coverage.",
            },
        )
        for _ in range(count)
    ]


_read("forecasts_of_period", f"/forecasts/{_THIS_YEAR}", "rep", "manager", target=200)
_read("forecast_deals", f"/forecasts/{_THIS_YEAR}/deals", "rep", "manager", target=200)
