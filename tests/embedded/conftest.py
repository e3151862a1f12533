"""Real servers in folders of their own, away from the ones the test run itself uses."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from salesplatform.embedded.places import DataFolder
from salesplatform.embedded.services import Services

VARIABLES = (
    "DATABASE_URL",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "DATA_DIR",
    "PORT",
    "HOST",
    "SECRET_KEY",
)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's own servers must not look like external ones, nor its key like a given one."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(scope="session")
def programs() -> Iterator[Path]:
    """The server programs, unpacked once for all tests."""
    with reachable_folder() as root:
        yield Services(DataFolder(root)).folder.programs


@pytest.fixture
def folder(programs: Path) -> Iterator[DataFolder]:
    """A data folder in which the programs are already unpacked."""
    with reachable_folder() as root:
        (root / "programs").symlink_to(programs)
        yield DataFolder(root)


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder that the servers' unprivileged account can reach, unlike pytest's own."""
    root = Path(tempfile.mkdtemp(prefix="salesplatform-embedded-"))
    root.chmod(0o755)
    try:
        yield root
    finally:
        shutil.rmtree(root)


@pytest.fixture
def services(folder: DataFolder) -> Iterator[Services]:
    """Running servers."""
    services = Services(folder)
    try:
        services.start()
        yield services
    finally:
        services.stop()
