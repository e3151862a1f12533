"""The access log loses nothing: at a clean stop of every kind of process, and while PostgreSQL is
away.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest
import redis

from salesplatform.embedded.services import Services
from tests.embedded.conftest import _own_environment, folder, programs, services  # noqa: F401
from tests.faults.test_servers_killed import (
    EMAIL,
    PASSWORD,
    ROOT,
    UNLIMITED,
    Platform,
    _kill_and_restart,
)

CLIENTS = 4
REQUESTS = 200
NEVER = "3600"
READ = "from tests.faults.tasks import read_leads; read_leads({request_id!r})"
MAKE_A_LEAD = (
    "from apps.leads.services.capture import create_lead;"
    "from apps.core.actors import system_actor;"
    "create_lead(email='a@fault.example', source='fault', actor=system_actor())"
)


@pytest.fixture
def platform(services: Services) -> Platform:  # noqa: F811
    """A platform with a lead and an admin."""
    platform = Platform(services)
    platform.command("migrate", "-v0")
    platform.command("createsuperuser", "--noinput", "--email", EMAIL, "--name", "Fault")
    platform.command("shell", "-c", UNLIMITED)
    platform.command("shell", "-c", MAKE_A_LEAD)
    return platform


def entries(platform: Platform) -> Counter[str]:
    """How many entries each request left."""
    with psycopg.connect(platform.services.environment["DATABASE_URL"]) as connection:
        found = connection.execute("SELECT request_id, row_ids FROM core_access").fetchall()
    assert all(len(row_ids) == 1 for _, row_ids in found)
    return Counter(request_id for request_id, _ in found)


def web_of(platform: Platform) -> list[str]:
    return (
        f"-m granian --interface wsgi --host 127.0.0.1 --port {platform.port} --workers 2 "
        "--blocking-threads 1 --workers-kill-timeout 8 salesplatform.wsgi:application"
    ).split()


def read_many(platform: Platform, count: int) -> list[str]:
    """Read the leads so often; returns the ids of the requests that were answered."""
    token = platform.ask("/api/v1/auth/token", {"email": EMAIL, "password": PASSWORD})[1]["access"]

    def read(_: int) -> str:
        request_id = str(uuid4())
        status, answer = platform.ask(
            "/api/v1/leads",
            **{"Authorization": f"Bearer {token}", "X-Request-ID": request_id},
        )
        platform.statuses.append(status)
        return request_id if status == 200 and answer["data"] else ""

    with ThreadPoolExecutor(CLIENTS) as clients:
        return [one for one in clients.map(read, range(count)) if one]


def test_processes_that_end_write_what_they_have_shown(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCESS_LOG_SECONDS", NEVER)
    expected = Counter(_of_a_web_server(platform))
    assert entries(platform) == expected
    expected.update(_of_commands(platform))
    assert entries(platform) == expected
    expected.update(_of_a_worker(platform))
    assert entries(platform) == expected


def _of_a_web_server(platform: Platform) -> list[str]:
    with platform.process(*web_of(platform)) as web:
        platform.wait_until(lambda: platform.ask("/health")[0] == 200)
        shown = read_many(platform, REQUESTS)
        assert len(shown) == REQUESTS
        assert entries(platform).total() < REQUESTS // 2
        web.send_signal(signal.SIGTERM)
        web.wait(20)
    return shown


def _of_commands(platform: Platform) -> list[str]:
    """One that comes to its end, and one that is told to stop."""
    platform.command("shell", "-c", READ.format(request_id="command"))
    code = READ.format(request_id="stopped") + "; import time; print('read', flush=True)"
    with subprocess.Popen(
        [sys.executable, "manage.py", "shell", "-c", f"{code}; time.sleep(60)"],
        cwd=ROOT,
        env=platform.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stdout is not None
        assert any("read" in line for line in started.stdout)
        started.terminate()
    return ["command", "stopped"]


def _of_a_worker(platform: Platform) -> list[str]:
    ids = [f"job-{number}" for number in range(5)]
    given = ";".join(f"read_leads.delay({one!r})" for one in ids)
    worker = "-m celery -A salesplatform worker --pool prefork --concurrency 2 --without-mingle"
    with platform.process(*worker.split()) as working:
        platform.command("shell", "-c", f"from tests.faults.tasks import read_leads;{given}")
        platform.wait_until(lambda: _unfinished(platform) == 0)
        working.terminate()
        working.wait(30)
    return ids


def _unfinished(platform: Platform) -> int:
    """How many tasks nobody has finished."""
    client = redis.Redis.from_url(platform.services.environment["CELERY_BROKER_URL"])
    return int(client.llen("celery")) + int(client.hlen("unacked"))


def test_a_postgresql_that_is_killed_costs_no_entry_and_none_is_written_twice(
    platform: Platform,
) -> None:
    with platform.process(*web_of(platform)), ThreadPoolExecutor(1) as alongside:
        platform.wait_until(lambda: platform.ask("/health")[0] == 200)
        reading = alongside.submit(read_many, platform, REQUESTS * 5)
        for quarter in (1, 2, 3):
            platform.wait_until(
                lambda quarter=quarter: len(platform.statuses) >= REQUESTS * quarter
            )
            _kill_and_restart(platform.services.postgres)
        shown = reading.result()
        platform.wait_until(lambda: entries(platform).keys() >= set(shown))
    assert len(shown) > REQUESTS
    assert 503 in platform.statuses
    assert set(entries(platform).values()) == {1}
