"""Processes of this machine, read from /proc: who lives, who belongs to us, and how to end them.

A process id alone proves nothing (ids are used again, the dead wait as zombies), so a process is
its id together with its start time, and it is ours only by evidence: the folder it works in or
the mark in its environment.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

DEAD_STATES = "ZXx"


@dataclass(frozen=True)
class Process:
    """One life of a process id."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The living process with this id, if there is one; a zombie is not living."""
        try:
            state, fields = _stat(pid)
        except OSError:
            return None
        # The first thread of a killed process may be gone while others still are about to go.
        threads, started = int(fields[16]), int(fields[18])
        return None if state in DEAD_STATES and threads <= 1 else cls(pid, started)

    @property
    def is_alive(self) -> bool:
        return Process.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Signal this very process; nothing happens when it is gone."""
        if self.is_alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Wait until the process is gone; False when it still lives after that time."""
        return wait_until(lambda: not self.is_alive, seconds)

    def end(self, *steps: tuple[signal.Signals, float]) -> bool:
        """Signal and wait, step by step, until the process is gone."""
        for number, seconds in steps:
            self.send(number)
            if self.wait(seconds):
                return True
        return not self.is_alive


def working_in(directory: Path) -> list[Process]:
    """The processes whose working folder is `directory`: servers work in their data folder."""
    wanted = str(directory.resolve())
    return [process for process in _all() if _working_folder(process.pid) == wanted]


def marked(marks: Mapping[str, str]) -> list[Process]:
    """The other processes, children of children included, that carry these variables."""
    wanted = {f"{name}={value}".encode() for name, value in marks.items()}
    return [
        process
        for process in _all()
        if process.pid != os.getpid() and wanted <= _environment(process.pid)
    ]


def end_all(
    find: Callable[[], list[Process]],
    *,
    first: signal.Signals = signal.SIGTERM,
    patience: float = 10.0,
) -> None:
    """Ask every process that `find` finds to end, wait, then insist."""
    found = find()
    for process in found:
        process.send(first)
    if found and not wait_until(lambda: not find(), patience):
        for process in find():
            process.end((signal.SIGKILL, 5.0))


def wait_until(condition: Callable[[], bool], seconds: float, *, pause: float = 0.02) -> bool:
    """Poll until the condition holds; False when it does not in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
    return True


def _all() -> Iterator[Process]:
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (process := Process.of(int(entry))):
            yield process


def _stat(pid: int) -> tuple[str, list[str]]:
    # The program's name stands in brackets and may itself hold spaces and brackets.
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return fields[0], fields[1:]


def _working_folder(pid: int) -> str:
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/cwd")
    return ""


def _environment(pid: int) -> set[bytes]:
    with suppress(OSError):
        return set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    return set()
