"""Run a program among the services, in the terminal's foreground."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType

from salesplatform.embedded.errors import CannotStart
from salesplatform.embedded.signals import handling


def run_in_foreground(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run until it ends and return its exit code, as a shell counts it.

    The program decides what a signal means; what follows it here must still happen.
    """
    child: subprocess.Popen[bytes] | None = None

    def forward(number: int, _: FrameType | None) -> None:
        # The terminal sends Ctrl-C to the child as well; other signals come to this process alone.
        if child and number != signal.SIGINT:
            child.send_signal(number)

    with handling(forward):
        try:
            child = subprocess.Popen(command, env={**os.environ, **variables})
        except OSError as error:
            raise CannotStart(f"{command[0]} cannot be run: {error.strerror}.") from None
        code = child.wait()
    return 128 - code if code < 0 else code
