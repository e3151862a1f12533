"""Locks on the data folder. The kernel releases them, however a process ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FileLock:
    """An advisory lock on a file, shared or exclusive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def share(self) -> None:
        """Hold it together with others; waits for an exclusive holder."""
        fcntl.flock(self._open(), fcntl.LOCK_SH)

    def take(self) -> None:
        """Hold it alone; waits for everyone else."""
        fcntl.flock(self._open(), fcntl.LOCK_EX)

    def try_to_take(self) -> bool:
        """Hold it alone, if nobody else holds it."""
        try:
            fcntl.flock(self._open(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        return self._descriptor


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock alone for a while."""
    lock = FileLock(path)
    lock.take()
    try:
        yield
    finally:
        lock.release()
