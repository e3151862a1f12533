"""What a person sees while the platform starts: one line per step, with its seconds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from salesplatform.embedded.errors import CannotStart
from salesplatform.embedded.logs import last_lines, rotate

WIDTH = 44


@contextmanager
def step(name: str) -> Iterator[None]:
    """Announce a step, and its seconds when it is done."""
    print(_dotted(name), end=" ", flush=True)
    began = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(_seconds_since(began), flush=True)


@contextmanager
def talking_step(name: str) -> Iterator[None]:
    """A step that prints for itself: its line with the seconds follows."""
    began = time.monotonic()
    yield
    print(_dotted(name), _seconds_since(began), flush=True)


def _dotted(name: str) -> str:
    return f"{name + ' ':.<{WIDTH}}"


def _seconds_since(began: float) -> str:
    return f"{time.monotonic() - began:5.1f} s"


def manage(command: str, *, variables: Mapping[str, str], log: Path) -> None:
    """Run a management command that tells the person what it does, and the log what happens."""
    rotate(log)
    with log.open("ab") as output:
        code = subprocess.call(
            [sys.executable, "manage.py", *command.split()],
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stderr=output,
        )
    if code != 0:
        raise CannotStart(f"manage.py {command} failed; its output ends:\n{last_lines(log)}")
