"""The parts of the running platform: its processes and the servers under them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from salesplatform.embedded import processes
from salesplatform.embedded.logs import last_lines, rotate
from salesplatform.embedded.processes import Process

FOLDER_MARK = "SALESPLATFORM_RUNS_FROM"
PART_MARK = "SALESPLATFORM_PART"


class Part(Protocol):
    """Something the supervisor keeps alive."""

    name: str

    @property
    def is_alive(self) -> bool: ...

    @property
    def ending(self) -> str:
        """How it ended, in words."""

    def start(self) -> object: ...

    def last_lines(self) -> str: ...


@dataclass
class Program:
    """A process of the application, with its children and its log."""

    name: str
    arguments: list[str]
    folder: Path
    variables: Mapping[str, str]
    patience: float = 10.0
    _child: subprocess.Popen[bytes] | None = field(init=False, default=None)

    @property
    def log(self) -> Path:
        return self.folder / "log" / f"{self.name}.log"

    @property
    def is_alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def ending(self) -> str:
        code = self._child.poll() if self._child else None
        if code is None:
            return "not started"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def start(self) -> None:
        self.end_leftovers()
        rotate(self.log)
        with self.log.open("ab") as log:
            # Its own session: Ctrl-C in the terminal is for the supervisor, which knows the order.
            self._child = subprocess.Popen(
                [sys.executable, *self.arguments],
                env={**os.environ, **self.variables, **self._marks},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Ask it to finish what it does, wait, insist."""
        if self._child and self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(self.patience)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        self.end_leftovers()

    def end_leftovers(self) -> None:
        """End what a killed predecessor left: children outlive their parent and hold its port."""
        processes.end_all(self._leftovers, patience=3.0)

    def last_lines(self) -> str:
        return last_lines(self.log)

    @property
    def _marks(self) -> dict[str, str]:
        return {FOLDER_MARK: str(self.folder), PART_MARK: self.name}

    def _leftovers(self) -> list[Process]:
        return processes.marked(self._marks)


def orphans(folder: Path) -> list[Process]:
    """Programs of a supervisor that was killed before it could stop them."""
    return processes.marked({FOLDER_MARK: str(folder)})
