"""What a person sees while the platform starts: one line per step, with its seconds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from salesplatform.embedded.errors import CannotStart
from salesplatform.embedded.logs import last_lines, rotate

WIDTH = 44


@contextmanager
def step(name: str) -> Iterator[None]:
    """Announce a step, and its seconds when it is done."""
    print(f"{name + ' ':.<{WIDTH}} ", end="", flush=True)
    began = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - began:5.1f} s", flush=True)


def manage(command: str, *, variables: Mapping[str, str], log: Path) -> None:
    """Run a management command; its output goes to the log and is shown when it fails."""
    rotate(log)
    with log.open("ab") as output:
        if _manage(command, variables, output) != 0:
            raise CannotStart(f"manage.py {command} failed; its output ends:\n{last_lines(log)}")


def manage_in_sight(command: str, *, variables: Mapping[str, str]) -> None:
    """Run a management command that tells the person itself what it does."""
    if code := _manage(command, variables, None):
        raise CannotStart(f"manage.py {command} failed (exit code {code}).")


def _manage(command: str, variables: Mapping[str, str], output: IO[bytes] | None) -> int:
    return subprocess.call(
        [sys.executable, "manage.py", *command.split()],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )
