"""Servers for one test run, in a temporary folder that leaves with them."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from salesplatform.embedded import processes
from salesplatform.embedded.locks import FileLock
from salesplatform.embedded.places import DataFolder
from salesplatform.embedded.server import working_in
from salesplatform.embedded.services import Services
from salesplatform.embedded.signals import uninterrupted

PREFIX = "salesplatform-test-"
MARK = "SALESPLATFORM_TEST"


@contextmanager
def throwaway_services() -> Iterator[Services]:
    """Start fresh servers, and remove every trace of them afterwards."""
    sweep()
    root, lock = _own_folder()
    try:
        services = Services(DataFolder(root), throwaway=True)
        services.start()
        yield services
    finally:
        with uninterrupted():
            _remove(root)
            lock.release()


def environment(services: Services) -> dict[str, str]:
    """The variables of a test run, with a mark to find its processes by."""
    return services.environment | {
        "DJANGO_SETTINGS_MODULE": "salesplatform.settings.test",
        MARK: str(services.folder.root),
    }


def sweep() -> None:
    """Remove what test runs left that were killed before they could."""
    for root in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if root.stat().st_uid != os.geteuid():
            continue
        lock = FileLock(root / "owner.lock")
        if lock.try_to_take():
            _remove(root)
        lock.release()


def _own_folder() -> tuple[Path, FileLock]:
    """A folder that carries the name others sweep only once it is locked."""
    made = Path(tempfile.mkdtemp(prefix="salesplatform-"))
    made.chmod(0o755)  # the servers' account passes; their own folders are closed to others
    lock = FileLock(made / "owner.lock")
    lock.take()
    return made.rename(made.with_name(made.name.replace("salesplatform-", PREFIX))), lock


def _remove(root: Path) -> None:
    processes.end_all(lambda: processes.marked({MARK: str(root)}), patience=3.0)
    folder = DataFolder(root)
    for data in (folder.postgres / "data", folder.valkey / "data"):
        # For both servers an interrupt means: end now, in good order, whoever is connected.
        processes.end_all(partial(working_in, data), first=signal.SIGINT)
    shutil.rmtree(root, ignore_errors=True)
