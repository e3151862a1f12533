"""The web server under measurement: granian with the flags of `make run`, on a free port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks.databases import ROOT, BenchDatabase
from benchmarks.processes import cpu_seconds, descendants, resident_bytes
from salesplatform.embedded.application import Address, programs
from salesplatform.embedded.places import DataFolder
from salesplatform.embedded.ports import LOOPBACK, free_port

START_SECONDS = 60.0
PLATFORM = "benchmarks.settings", "salesplatform.wsgi:application", "/health"
CEILING = "benchmarks.ceiling_settings", "benchmarks.ceiling:application", "/page"


@dataclass
class WebServer:
    """A running server and its workers."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def workers(self) -> list[int]:
        """The processes that answer requests."""
        return descendants(self.process.pid)[1:]

    def cpu(self) -> float:
        """CPU seconds of the server and its workers so far."""
        return sum(cpu_seconds(pid) for pid in descendants(self.process.pid))

    def largest_worker(self) -> int:
        """Bytes in RAM of the worker that uses most."""
        return max(map(resident_bytes, self.workers), default=0)


@contextmanager
def serving(database: BenchDatabase, what: tuple[str, str, str]) -> Iterator[WebServer]:
    """Run one of `PLATFORM` and `CEILING` on a database until the block ends."""
    settings, application, probe = what
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        log = Path(folder) / "server.log"
        server = _start(database, settings, application, log)
        try:
            _wait_until_it_answers(server, probe, log)
            yield server
        finally:
            _stop(server)


def _start(database: BenchDatabase, settings: str, application: str, log: Path) -> WebServer:
    port = free_port()
    web = programs(DataFolder(log.parent), Address(LOOPBACK, port), {})[0]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *web.arguments[:-1], application],
            cwd=ROOT,
            env={
                **os.environ,
                **database.environment,
                "DJANGO_SETTINGS_MODULE": settings,
                "PROCESS_NAME": "benchmark-web",
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return WebServer(process, port)


def _wait_until_it_answers(server: WebServer, probe: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError, HTTPException):
            connection = HTTPConnection(LOOPBACK, server.port, timeout=10)
            connection.request("GET", probe)
            connection.getresponse().read()
            connection.close()
            return
        time.sleep(0.1)
    raise SystemExit(f"The web server did not start:\n{log.read_text()[-3000:]}")


def _stop(server: WebServer) -> None:
    everybody = descendants(server.process.pid)
    server.process.terminate()
    try:
        server.process.wait(10)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
    for pid in everybody[1:]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
