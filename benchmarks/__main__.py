"""`make bench`: measures speed and prints the ratios to the ceiling."""

from __future__ import annotations

import argparse
import functools
import sys

from benchmarks import databases, jobs, profiling, report
from benchmarks.databases import BenchDatabase
from benchmarks.filling.fill import filled
from benchmarks.measure import measuring
from benchmarks.operations import OPERATIONS, Operation

SIZES = (10_000, 1_000_000)
say = functools.partial(print, flush=True)


def main(arguments: list[str]) -> None:
    options = _parser().parse_args(arguments)
    options.command(options)


def run(options: argparse.Namespace) -> None:
    """Measure every operation at every size."""
    runs: list[report.Run] = []
    for rows in _sizes(options):
        database = filled(rows, say=say, anew=options.refill, stale=options.stale)
        smallest = runs[0] if runs else report.Run(rows)
        runs.append(_measured(database, smallest, options.operation))
    if options.write:
        report.write(runs, databases.server_in_words())
    failed = [one for done in runs for one in _failures(done, runs[0])]
    say(f"\n{len(failed)} bars missed{':' if failed else '.'}")
    for one in failed:
        say(f"  {one}")


def _measured(database: BenchDatabase, smallest: report.Run, part: str) -> report.Run:
    found = report.Run(database.rows)
    say(report.heading(database.rows))
    with measuring(database) as measurement:
        for operation in _chosen(part):
            result = measurement.of(operation)
            found.results[operation.name] = result
            say(report.line(report.cells(result, smallest.results.get(operation.name))))
        found.worker_mb = measurement.platform.server.largest_worker() / 1e6
    say(report.worker_line(found))
    if not part:
        for job in jobs.run_all(database):
            found.jobs.append(job)
            say(report.job_line(job))
    return found


def _failures(run: report.Run, smallest: report.Run) -> list[str]:
    beside = smallest.results if run is not smallest else {}
    return [
        f"{name} at {databases.short(run.rows)}: {bar}"
        for name, result in run.results.items()
        for bar, met in report.verdicts(result, beside.get(name))
        if not met
    ]


def _sizes(options: argparse.Namespace) -> tuple[int, ...]:
    if options.rows:
        return (options.rows,)
    return SIZES[:1] if options.quick else SIZES


def _chosen(part: str) -> list[Operation]:
    found = [one for name, one in OPERATIONS.items() if part in name]
    if not found:
        raise SystemExit(f"No operation is called {part}. There are: {', '.join(OPERATIONS)}.")
    return found


def _large(options: argparse.Namespace) -> int:
    return options.rows or SIZES[-1]


def fill(options: argparse.Namespace) -> None:
    """Fill a database and leave it at that."""
    filled(_large(options), say=say, anew=options.refill, stale=options.stale)


def profile(options: argparse.Namespace) -> None:
    """Show where the time of one operation goes in Python."""
    operation = profiling.operation_named(options.operation)
    profiling.profile(filled(_large(options), stale=True), operation, order=options.sort)


def explain(options: argparse.Namespace) -> None:
    """Show the plans of the statements of one operation."""
    operation = profiling.operation_named(options.operation)
    profiling.explain(filled(_large(options), stale=True), operation)


def work(options: argparse.Namespace) -> None:
    """Measure the long jobs only."""
    for job in jobs.run_all(filled(_large(options), say=say, stale=options.stale)):
        say(report.job_line(job))


def drop(_: argparse.Namespace) -> None:
    """Remove the databases of the benchmark."""
    say(f"Dropped: {', '.join(databases.drop_all()) or 'nothing'}.")


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--rows", type=int, help="leads, and as many opportunities")
    common.add_argument("--operation", default="", help="only those whose name contains this")
    common.add_argument("--quick", action="store_true", help="10,000 rows only")
    common.add_argument("--refill", action="store_true", help="fill the database anew")
    common.add_argument(
        "--stale", action="store_true", help="take a database of an older schema as it is"
    )
    common.add_argument("--write", action="store_true", help="put the figures into README.md")
    common.add_argument("--sort", default="tottime", help="order of a profile")
    parser = argparse.ArgumentParser(prog="python -m benchmarks", parents=[common])
    parser.set_defaults(command=run)
    commands = parser.add_subparsers(metavar="COMMAND")
    for command in (fill, profile, explain, work, drop):
        one = commands.add_parser(command.__name__, help=command.__doc__, parents=[common])
        one.set_defaults(command=command)
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
