"""Long work: the nightly forecast, a file of leads, and events handed to their handlers."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.databases import ROOT, BenchDatabase, at_server
from benchmarks.filling import words
from benchmarks.postgres import PostgresMeter
from benchmarks.processes import resident_bytes
from tests.integrations.rabbitmq import is_installed, own_rabbitmq

IMPORTED = 100_000
LOOK_EVERY = 0.25
COLUMNS = {
    "Source": "source",
    "First Name": "first_name",
    "Last Name": "last_name",
    "Email": "email",
    "Phone": "phone",
    "Company": "company",
    "Title": "title",
    "Industry": "industry",
    "Employees": "employee_count",
    "Revenue": "annual_revenue",
    "Country": "country",
    "State": "state",
    "City": "city",
    "Zip": "postal_code",
}


@dataclass(frozen=True)
class JobResult:
    """What a long piece of work took. `early_mb` is the memory after a quarter of the time."""

    name: str
    what: str
    count: int
    seconds: float
    cpu: float
    postgres: float
    early_mb: float
    most_mb: float
    allowed_seconds: float | None = None
    said: str = ""
    failure: str = ""

    @property
    def per_second(self) -> float:
        """Pieces done in a second."""
        return self.count / self.seconds if self.seconds else 0.0


def run_all(database: BenchDatabase, imported: int = IMPORTED) -> list[JobResult]:
    """Every job, one after the other."""
    return [
        start_up(database),
        nightly_forecast(database),
        waiting_events(database),
        journal(database),
        bus(database),
        webhooks(database),
        lead_import(database, imported),
    ]


def start_up(database: BenchDatabase) -> JobResult:
    """What every command takes before it does anything; the times below hold it."""
    command = [sys.executable, "-c", "import django; django.setup()"]
    return measured("start-up", "command", 1, command, database)


def nightly_forecast(database: BenchDatabase) -> JobResult:
    """All forecasts of the open periods, as the nightly run computes them."""
    deals = _count(database, "opportunities_opportunity")
    return measured("nightly forecast", "deals", deals, managed("compute_forecasts"), database)


def waiting_events(database: BenchDatabase) -> JobResult:
    """What the writes before left for the platform's own handlers."""
    waiting = _count(database, "core_eventdelivery")
    return measured(
        "events to handlers", "deliveries", waiting, managed("deliver_events", "--once"), database
    )


def journal(database: BenchDatabase) -> JobResult:
    """Events published and handed to a handler that does nothing."""
    command = [sys.executable, "-m", "benchmarks.journal"]
    done = measured("journal", "events published and heard", 50_000, command, database)
    with database.connect() as connection:
        connection.execute("DELETE FROM core_businessevent WHERE name = 'benchmark.happened'")
    return done


def bus(database: BenchDatabase) -> JobResult:
    """Events handed on to a RabbitMQ of our own, by one relay and by two."""
    if not is_installed():
        return JobResult("bus", "events", *(0, 0, 0, 0, 0, 0), failure="RabbitMQ is not installed.")
    with own_rabbitmq() as broker:
        assert broker.server is not None
        command = [sys.executable, "-m", "benchmarks.bus", str(broker.server.pid)]
        variables = {"AMQP_URL": broker.url, "AMQP_QUEUES": json.dumps({"everything": ["#"]})}
        return measured("bus", "events relayed", 80_000, command, database, **variables)


def webhooks(database: BenchDatabase) -> JobResult:
    """Events posted to one target, to ten, and to one beside a dead one."""
    command = [sys.executable, "-m", "benchmarks.webhooks"]
    return measured(
        "webhooks", "deliveries", 15_000, command, database, WEBHOOK_LOCAL_HOSTS="127.0.0.1"
    )


def lead_import(database: BenchDatabase, count: int) -> JobResult:
    """A file of new leads through normalising, duplicates, score, routing and events."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder) / "leads.csv"
        _write_file(file, count)
        command = managed("import_leads", str(file), "--mapping", json.dumps({"columns": COLUMNS}))
        done = measured(
            "lead import", "rows", count, command, database, allowed_seconds=60.0, DATA_DIR=folder
        )
    _take_back(database)
    return done


def managed(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", *arguments]


def _count(database: BenchDatabase, table: str) -> int:
    with database.connect() as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


def measured(
    name: str,
    what: str,
    count: int,
    command: Sequence[str],
    database: BenchDatabase,
    *,
    allowed_seconds: float | None = None,
    **variables: str,
) -> JobResult:
    """Run a command with some variables set, watching its time, CPU and memory."""
    variables = {
        **os.environ,
        **database.environment,
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        **variables,
    }
    memory: list[int] = []
    with at_server() as connection, tempfile.TemporaryFile() as output:
        meter = PostgresMeter(database, connection)
        before, began = meter.cpu(), time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, env=variables, stdout=output, stderr=subprocess.STDOUT
        )
        while True:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            memory.append(resident_bytes(process.pid))
            meter.cpu()
            time.sleep(LOOK_EVERY)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        spent = meter.cpu() - before
        output.seek(0)
        said = output.read().decode(errors="replace")
    return JobResult(
        *(name, what, count, seconds, used.ru_utime + used.ru_stime, spent),
        early_mb=max(memory[: len(memory) // 4 + 1], default=0) / 1e6,
        most_mb=max(memory, default=0) / 1e6,
        allowed_seconds=allowed_seconds,
        said=lines[-1] if (lines := said.strip().splitlines()) else "",
        failure=said[-500:] if process.returncode else "",
    )


def _write_file(file: Path, count: int) -> None:
    chance = random.Random(5)
    run = time.time_ns() // 1_000_000 % 10**9
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(COLUMNS)
        for number in range(count):
            first, last = chance.choice(words.FIRST_NAMES), chance.choice(words.LAST_NAMES)
            second = chance.choice(words.COMPANY_SECOND)
            company = f"{chance.choice(words.COMPANY_FIRST)} {second} {number % 20_000}"
            address = f"{first}.{last}.{run}.{number}@{company.replace(' ', '').lower()}.example"
            size = chance.randrange(1, 5_000)
            writer.writerow(
                (
                    *(chance.choice(words.SOURCES), first, last, address),
                    f"+1 202 555 {number % 10_000:04d}",
                    *(company, chance.choice(words.TITLES), chance.choice(words.INDUSTRIES)),
                    *(size, size * 120_000, "United States", chance.choice(words.STATES)),
                    *(chance.choice(words.CITIES), f"{chance.randrange(10_000, 99_999)}"),
                )
            )


def _take_back(database: BenchDatabase) -> None:
    """Leave the database as large as it was."""
    created = "SELECT lead_id FROM leads_leadimportrow WHERE outcome = 'created'"
    with database.connect() as connection:
        for statement in (
            f"DELETE FROM core_eventdelivery WHERE aggregate_id IN ({created})",
            f"DELETE FROM core_businessevent WHERE aggregate_id IN ({created})",
            f"DELETE FROM leads_leadassignment WHERE record_id IN ({created})",
            f"DELETE FROM leads_lead WHERE id IN ({created})",
            "TRUNCATE leads_leadimportrow, leads_leadimport",
            "VACUUM ANALYZE leads_lead, leads_leadassignment, core_businessevent",
        ):
            connection.execute(statement)
