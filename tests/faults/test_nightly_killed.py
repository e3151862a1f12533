"""The nightly run killed with -9 at work: it goes on where it was, and who is told
twice is told under one id."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import psycopg
import pytest

from salesplatform.embedded.services import Services
from tests.embedded.conftest import _own_environment, folder, programs, services  # noqa: F401
from tests.faults.test_servers_killed import Platform, _count

PEOPLE = 1500
READERS = 3
PERIODS = 5
SET_UP = f"""
from apps.users.models import User
from tests.factories.users import UserFactory
User.objects.bulk_create(
    User(email=f"{{n}}@fault.example", name=f"Rep {{n}}", role="sales_rep") for n in range({PEOPLE})
)
UserFactory.create_batch({READERS}, role="sales_manager")
"""
ASK = """
from apps.forecasts.tasks import compute_nightly_forecasts
compute_nightly_forecasts()
"""
WORK = """
import apps.forecasts.tasks
from apps.core.jobs import run_job
from apps.forecasts.models import NightlyRun
run_job(NightlyRun.objects.get().job_id)
"""
NIGHTLY = "forecasts_forecastsnapshot WHERE kind = 'nightly'"


def test_a_killed_run_goes_on_where_it_was_however_many_ask_and_work(
    services: Services,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMAIL_URL", f"filemail:///{tmp_path}")
    platform = Platform(services)
    platform.command("migrate", "-v0")
    platform.command("shell", "-v0", "-c", SET_UP)
    url = services.environment["DATABASE_URL"]

    def position() -> int:
        with psycopg.connect(url) as connection:
            found = connection.execute("SELECT position FROM core_job").fetchone()
            return int(found[0]) if found else -1

    def shell(code: str):
        return platform.process("manage.py", "shell", "-v0", "-c", code)

    with shell(ASK) as one, shell(ASK) as two, shell(ASK) as three:
        assert [each.wait(60) for each in (one, two, three)] == [0, 0, 0]
    assert _count(url, "forecasts_nightlyrun") == _count(url, "core_job") == 1
    with shell(WORK) as worker:
        platform.wait_until(lambda: position() >= 1)
        os.kill(worker.pid, signal.SIGKILL)
    assert 1 <= position() < PERIODS + 1 + READERS
    assert _count(url, NIGHTLY) % (PEOPLE + READERS) == 0
    # One goes on, and whoever else comes meanwhile takes turns with it or finds it done.
    with shell(WORK) as one, shell(WORK) as two:
        assert [each.wait(120) for each in (one, two)] == [0, 0]

    assert position() == PERIODS + 1 + READERS
    assert _count(url, "core_job WHERE status = 'completed'") == 1
    assert _count(url, NIGHTLY) == PERIODS * (PEOPLE + READERS)
    assert _count(url, f"{NIGHTLY} AND NOT is_current") == 0
    sent = "".join(one.read_text() for one in tmp_path.iterdir())
    assert len(set(re.findall("<forecast-[^>]+>", sent))) == READERS
