"""PostgreSQL, Valkey and the deliverer killed with -9 under load: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import psycopg
import pytest

from salesplatform.embedded.ports import free_port
from salesplatform.embedded.services import Services
from tests.embedded.conftest import _own_environment, folder, programs, services  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
EMAIL, PASSWORD = "admin@fault.example", "fault"
# The clients together ask for more than one person usually may.
UNLIMITED = (
    "from apps.users.models import User;"
    "User.objects.update(requests_per_minute=1_000_000, requests_per_second=1_000_000)"
)
LEADS = 60
CLIENTS = 4
PATIENCE = 60.0


@dataclass
class Platform:
    """A running platform of real processes."""

    services: Services
    port: int = field(default_factory=free_port)
    statuses: list[int] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **self.services.environment,
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "PYTHONPATH": str(ROOT),
        }

    def command(self, *arguments: str) -> None:
        """Run a management command to its end."""
        self.output(*arguments)

    def output(self, *arguments: str) -> str:
        """What a management command says, once it has ended."""
        ended = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            check=True,
            capture_output=True,
        )
        return ended.stdout.decode()

    @contextmanager
    def process(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A process that is ended afterwards, however the test ends."""
        started = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield started
        finally:
            started.terminate()
            started.wait(20)

    def ask(self, path: str, body: dict | None = None, **headers: str) -> tuple[int, dict]:
        """One request; answers status and body. A broken connection is status 0."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read())
        except OSError:
            return 0, {}

    def wait_until(self, condition, patience: float = PATIENCE) -> None:
        """Wait for something that must come true."""
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, "it did not come true in time"
            time.sleep(0.2)

    def capture(self, number: int, token: str) -> None:
        """Capture a lead as a careful client does: repeat under the same key until it is there."""
        body = {"source": "fault", "email": f"p{number}@fault.example", "company": "Acme"}
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            status, answer = self.ask(
                "/api/v1/leads",
                body,
                Authorization=f"Bearer {token}",
                **{"Idempotency-Key": f"lead-{number}"},
            )
            with self.lock:
                self.statuses.append(status)
            if status == 201:
                return
            if status in (409, 503):
                reason = answer["error"]["details"]["reason"]
                assert reason in ("unavailable", "idempotency_key_in_progress"), answer
            else:
                assert status == 0, answer
            time.sleep(0.2)
        pytest.fail(f"lead {number} was not captured in time")


def test_kills_under_load_lose_nothing_and_repeat_nothing(services: Services) -> None:  # noqa: F811
    platform = Platform(services)
    platform.command("migrate", "-v0")
    platform.command("createsuperuser", "--noinput", "--email", EMAIL, "--name", "Fault")
    platform.command("shell", "-c", UNLIMITED)
    url = services.environment["DATABASE_URL"]
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE heard (event_id uuid)")

    web = (
        f"-m granian --interface wsgi --host 127.0.0.1 --port {platform.port} --workers 2 "
        "--blocking-threads 1 salesplatform.wsgi:application"
    )
    with platform.process(*web.split()), platform.process("manage.py", "deliver_events") as deaf:
        platform.wait_until(lambda: platform.ask("/health")[0] == 200)
        token = platform.ask("/api/v1/auth/token", {"email": EMAIL, "password": PASSWORD})[1][
            "access"
        ]
        with ThreadPoolExecutor(CLIENTS) as clients:
            captured = [clients.submit(platform.capture, n, token) for n in range(LEADS)]
            platform.wait_until(lambda: platform.statuses.count(201) >= LEADS // 4)
            _kill_and_restart(services.postgres)
            os.kill(deaf.pid, signal.SIGKILL)
            platform.wait_until(lambda: platform.statuses.count(201) >= LEADS // 2)
            _kill_and_restart(services.valkey)
            for one in captured:
                one.result()
        with platform.process("manage.py", "deliver_events"):
            platform.wait_until(lambda: _count(url, "core_eventdelivery") == 0)

    assert _count(url, "leads_lead") == LEADS
    assert _count(url, "core_businessevent WHERE name = 'lead.created'") == LEADS
    assert _count(url, "heard") == LEADS
    assert _count(url, "(SELECT DISTINCT event_id FROM heard) AS once") == LEADS
    assert 503 in platform.statuses
    assert 500 not in platform.statuses


def _kill_and_restart(server) -> None:
    os.kill(server.main_process().pid, signal.SIGKILL)
    time.sleep(1.0)
    server.start()


def _count(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert found is not None
        return int(found[0])
