"""Measures operations in turns with the ceiling, so that noise of the machine hits both."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from benchmarks.client import Call, Client, Outcome
from benchmarks.databases import BenchDatabase, at_server
from benchmarks.operations import Bench, Operation
from benchmarks.postgres import PostgresMeter
from benchmarks.processes import cpu_seconds
from benchmarks.server import CEILING, PLATFORM, WebServer, serving

ROUNDS = 5
ROUND_SECONDS = 4.0
SHORTEST_SECONDS = 0.6
MOST_CALLS = 600
FEWEST_CALLS = 24
WARM_UP = 24
REDIALS = 20


@dataclass(frozen=True)
class Spent:
    """CPU milliseconds per request in one round."""

    application: float
    postgres: float

    @property
    def cpu(self) -> float:
        """Of application and PostgreSQL."""
        return self.application + self.postgres


@dataclass
class Figures:
    """What the calls of one kind cost."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    statements: float = 0.0
    rounds: list[Spent] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """How many were made."""
        return len(self.latencies)

    def percentile(self, percent: int) -> float:
        """Milliseconds within which so many percent were answered."""
        ordered = sorted(self.latencies)
        place = max(0, math.ceil(len(ordered) * percent / 100) - 1)
        return ordered[place] * 1000

    @property
    def per_second(self) -> float:
        """Requests answered in a second."""
        return self.calls / self.seconds

    def summary(self) -> dict[str, float]:
        """The figures as numbers to print and keep.

        CPU is that of the quietest round: neighbours that share the cores make the same work cost
        up to twice as much.
        """
        quietest = min(self.rounds, key=lambda one: one.cpu)
        return {
            "calls": self.calls,
            "p50": self.percentile(50),
            "p95": self.percentile(95),
            "per_second": self.per_second,
            "cpu": quietest.cpu,
            "application": quietest.application,
            "postgres": quietest.postgres,
            "statements": self.statements / self.calls,
        }


@dataclass
class Result:
    """What an operation costs, and how many times the CPU of the ceiling in the same minutes."""

    operation: str
    figures: dict[str, float]
    ratio: float
    refused: str = ""


class Side:
    """A server with its client and meters."""

    def __init__(self, server: WebServer, meter: PostgresMeter, connections: int) -> None:
        self.server = server
        self.meter = meter
        self.client = Client(server.port, connections)
        self.figures = Figures()

    def measure(self, calls: Sequence[Call], *, seconds: float = ROUND_SECONDS) -> Outcome:
        """Send calls and add what they cost to the figures."""
        application, postgres = self.server.cpu(), self.meter.cpu()
        statements = self.meter.statements()
        outcome = self.client.round(calls, seconds=seconds)
        calls = max(1, len(outcome.latencies))
        self.figures.rounds.append(
            Spent(
                (self.server.cpu() - application) / calls * 1000,
                (self.meter.cpu() - postgres) / calls * 1000,
            )
        )
        self.figures.statements += self.meter.statements() - statements
        self.figures.latencies += outcome.latencies
        self.figures.seconds += outcome.seconds
        return outcome

    def spread(self, call: Call) -> None:
        """Redial until every worker has a connection, as far as there are enough."""
        for _ in range(REDIALS):
            before = self._spent()
            self.client.round([call] * WARM_UP, seconds=ROUND_SECONDS)
            after = self._spent()
            busy = sum(spent - before.get(pid, 0.0) > 0.002 for pid, spent in after.items())
            if busy >= min(len(self.client.connections), os.cpu_count() or 1):
                return
            self.client.reconnect()

    def _spent(self) -> dict[int, float]:
        return {pid: cpu_seconds(pid) for pid in self.server.workers}


@contextmanager
def measuring(database: BenchDatabase) -> Iterator[Measurement]:
    """The platform and the ceiling, both running on a database."""
    connections = len(os.sched_getaffinity(0))
    with ExitStack() as stack:
        meter = PostgresMeter(database, stack.enter_context(at_server()))
        platform = stack.enter_context(serving(database, PLATFORM))
        ceiling = stack.enter_context(serving(database, CEILING))
        yield Measurement(
            Bench(database, platform.port),
            Side(platform, meter, connections),
            Side(ceiling, meter, connections),
        )


@dataclass
class Measurement:
    """The two sides of a run."""

    bench: Bench
    platform: Side
    ceiling: Side

    def of(self, operation: Operation) -> Result:
        """Measure one operation and the ceiling, round by round."""
        call = Call("GET", "/page", self.bench.token("admin"))
        self.platform.spread(Call("GET", "/api/v1/users", call.token))
        self.ceiling.spread(call)
        for side in (self.platform, self.ceiling):
            side.figures = Figures()
        per_round = self._calls_per_round(operation)
        refused: list[tuple[int, bytes]] = []
        for _ in range(ROUNDS):
            self.ceiling.measure([call] * MOST_CALLS, seconds=SHORTEST_SECONDS)
            refused += self.platform.measure(operation.calls(self.bench, per_round)).refused
        return Result(
            operation.name,
            self.platform.figures.summary(),
            _ratio(self.platform.figures.rounds, self.ceiling.figures.rounds),
            _first(refused),
        )

    def _calls_per_round(self, operation: Operation) -> int:
        """As many as fit a round, found while warming up."""
        warm_up = self.platform.client.round(
            operation.calls(self.bench, WARM_UP), seconds=ROUND_SECONDS
        )
        each = statistics.median(warm_up.latencies) / len(self.platform.client.connections)
        return max(FEWEST_CALLS, min(MOST_CALLS, int(1.5 / each)))


def _ratio(rounds: Sequence[Spent], of_ceiling: Sequence[Spent]) -> float:
    """The median of each round's CPU beside that of the ceiling's round just before it."""
    pairs = zip(rounds, of_ceiling, strict=True)
    return statistics.median(one.cpu / ceiling.cpu for one, ceiling in pairs)


def _first(refused: list[tuple[int, bytes]]) -> str:
    if not refused:
        return ""
    status, content = refused[0]
    return (
        f"{len(refused)} refused, the first with {status}: {content[:300].decode(errors='replace')}"
    )
