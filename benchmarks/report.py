"""What the figures mean: the table, the bars, and the figures in README.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.databases import short
from benchmarks.jobs import JobResult
from benchmarks.measure import Result
from benchmarks.operations import OPERATIONS

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
FLAT = 1.2
# CPU ms of the ceiling where the bars in CPU ms were set: a slower hour moves both alike.
CEILING_THEN = 1.15
MOST_WORKER_MB = 200

_HEAD = (
    *("operation", "p50 ms", "p95 ms", "req/s", "CPU ms", "app", "PostgreSQL", "SQL", "× ceiling"),
    "bars",
)


@dataclass
class Run:
    """Everything measured at one size."""

    rows: int
    results: dict[str, Result] = field(default_factory=dict)
    jobs: list[JobResult] = field(default_factory=list)
    worker_mb: float = 0.0


def verdicts(result: Result, small: Result | None) -> Iterator[tuple[str, bool]]:
    """Each bar that an operation has, and whether it is met."""
    operation, figures = OPERATIONS[result.operation], result.figures
    if operation.target is not None:
        yield f"p95 ≤ {operation.target:g} ms", figures["p95"] <= operation.target
    if operation.most_ratio is not None:
        yield f"≤ {operation.most_ratio:g}× ceiling", result.ratio <= operation.most_ratio
    if operation.most_cpu is not None:
        cpu = result.ratio * CEILING_THEN
        yield f"≤ {operation.most_cpu:g} ms CPU (is {cpu:.2f})", cpu <= operation.most_cpu
    if operation.is_flat and small is not None:
        growth = result.ratio / small.ratio
        yield f"≤ {FLAT:g}× of 10k (is {growth:.2f}×)", growth <= FLAT


def told(bars: Iterable[tuple[str, bool]]) -> str:
    """Bars in a line."""
    return ", ".join(f"{'PASS' if met else 'FAIL'} {name}" for name, met in bars)


def cells(result: Result, small: Result | None = None) -> tuple[str, ...]:
    """One row of the table."""
    figures = result.figures
    return (
        result.operation,
        *(f"{figures[name]:.1f}" for name in ("p50", "p95")),
        f"{figures['per_second']:.0f}",
        *(f"{figures[name]:.2f}" for name in ("cpu", "application", "postgres")),
        f"{figures['statements']:.1f}",
        f"{result.ratio:.2f}",
        result.refused or told(verdicts(result, small)),
    )


_WIDTHS = (34, 8, 8, 7, 8, 8, 10, 6, 9, 0)


def line(values: Iterable[str]) -> str:
    """A row for the terminal."""
    first, *others = values
    parts = [f"{first:<{_WIDTHS[0]}}"]
    parts += [f"{value:>{width}}" for value, width in zip(others[:-1], _WIDTHS[1:-1], strict=True)]
    return "".join(parts) + f"  {others[-1]}"


def heading(rows: int) -> str:
    """What comes above the rows of one size."""
    return f"\n{rows:,} leads and as many opportunities\n{line(_HEAD)}"


def job_line(job: JobResult) -> str:
    """What a long piece of work took, in a sentence."""
    bar = ""
    if job.allowed_seconds is not None:
        bar = told([(f"≤ {job.allowed_seconds:g} s", job.seconds <= job.allowed_seconds)])
    return (
        f"{job.name}: {job.count:,} {job.what} in {job.seconds:.1f} s ({job.per_second:,.0f}/s), "
        f"CPU {job.cpu:.1f} s + PostgreSQL {job.postgres:.1f} s, "
        f"memory {job.early_mb:.0f} MB early, {job.most_mb:.0f} MB at most. "
        f"{bar}{job.failure or _quoted(job.said)}"
    ).rstrip()


def _quoted(said: str) -> str:
    return f" It says: {said}" if said else ""


def worker_line(run: Run) -> str:
    """The memory of the largest worker after everything."""
    bar = told([(f"≤ {MOST_WORKER_MB} MB", run.worker_mb <= MOST_WORKER_MB)])
    return f"largest web worker: {run.worker_mb:.0f} MB. {bar}"


def write(runs: list[Run], server: str) -> None:
    """Put the figures into README.md in place of the former ones."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n{_markdown(runs, server)}\n{END}{after}", encoding="utf-8")


def _markdown(runs: list[Run], server: str) -> str:
    cores = len(os.sched_getaffinity(0))
    parts = [f"\n{cores} cores, Python {platform.python_version()}, {server}."]
    small = runs[0].results if len(runs) > 1 else {}
    for run in runs:
        beside = small.get if run is not runs[0] else _nothing
        parts += [
            f"\n### {short(run.rows)} leads and {short(run.rows)} opportunities\n",
            f"| {' | '.join(_HEAD)} |",
            f"|{'---|' + '--:|' * (len(_HEAD) - 2)}---|",
            *(
                f"| {' | '.join(cells(one, beside(one.operation)))} |"
                for one in run.results.values()
            ),
            "",
            *(f"- {job_line(job)}" for job in run.jobs),
            f"- {worker_line(run)}",
        ]
    return "\n".join(parts)


def _nothing(_: str) -> None:
    return None
