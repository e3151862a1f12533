"""Jobs that go to their workers over RabbitMQ: broker and worker killed with -9, each done once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from kombu import Connection

from salesplatform.embedded.services import Services
from tests.embedded.conftest import _own_environment, folder, programs, services  # noqa: F401
from tests.faults.test_nightly_killed import ASK, NIGHTLY, PEOPLE, PERIODS, READERS, SET_UP
from tests.faults.test_servers_killed import ROOT, Platform, _count
from tests.integrations.rabbitmq import RabbitMQ, own_rabbitmq

PARTS = PERIODS + 1 + READERS
QUEUE = "jobs"
NIGHT = 300.0


@contextmanager
def worker(platform: Platform) -> Iterator[subprocess.Popen[bytes]]:
    """A worker with its pool, in a group of processes that can be killed at once."""
    started = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "salesplatform", "worker", "--concurrency", "1"],
        cwd=ROOT,
        env=platform.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield started
    finally:
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)
        started.wait(20)


def waiting(broker: RabbitMQ) -> int:
    """Work that nobody has taken, in a queue that survives its broker."""
    with Connection(broker.url) as connection:
        channel = connection.default_channel
        try:
            return channel.queue_declare(QUEUE, passive=True).message_count
        except connection.channel_errors:
            return -1


def kind_of_queue(broker: RabbitMQ) -> str:
    """Whether the queue is one that is kept on disk, as another declaration is refused."""
    with Connection(broker.url) as connection:
        try:
            connection.default_channel.queue_declare(QUEUE, durable=True, auto_delete=False)
        except connection.channel_errors as refused:
            return str(refused)
    return "classic"


@pytest.fixture
def broker() -> Iterator[RabbitMQ]:
    with own_rabbitmq() as broker:
        yield broker


def test_a_night_is_worked_once_whoever_is_killed(
    services: Services,  # noqa: F811
    broker: RabbitMQ,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform = Platform(services)
    monkeypatch.setenv("EMAIL_URL", f"filemail:///{tmp_path}")
    monkeypatch.setattr(
        Platform,
        "environment",
        {**platform.environment, "CELERY_BROKER_URL": broker.url},
    )
    platform.command("migrate", "-v0")
    platform.command("shell", "-v0", "-c", SET_UP)
    url = services.environment["DATABASE_URL"]

    def position() -> int:
        with psycopg.connect(url) as connection:
            found = connection.execute("SELECT position FROM core_job").fetchone()
            return int(found[0]) if found else -1

    # Asked for while nobody works, and kept by a broker that is killed meanwhile.
    with platform.process("manage.py", "deliver_events"):
        platform.command("shell", "-v0", "-c", ASK)
        platform.wait_until(lambda: waiting(broker) == 1)
    broker.settle()
    broker.kill()
    broker.start()
    assert waiting(broker) == 1
    assert "quorum" in kind_of_queue(broker)

    with worker(platform) as first:
        platform.wait_until(lambda: position() >= 1, patience=NIGHT)
        os.killpg(first.pid, signal.SIGKILL)
    assert 1 <= position() < PARTS
    with worker(platform):
        platform.wait_until(lambda: position() == PARTS, patience=NIGHT)
        platform.wait_until(lambda: waiting(broker) == 0)

    assert _count(url, "core_job WHERE status = 'completed'") == 1
    assert _count(url, NIGHTLY) == PERIODS * (PEOPLE + READERS)
    assert _count(url, f"{NIGHTLY} AND NOT is_current") == 0
