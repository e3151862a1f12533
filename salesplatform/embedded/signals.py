"""Signals that ask this process to end, and what they mean where."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Handler = Callable[[int, FrameType | None], None]


@contextmanager
def handling(handler: Handler | signal.Handlers) -> Iterator[None]:
    """Answer every wish to end in this way for a while."""
    previous = {number: signal.signal(number, handler) for number in ENDING}
    try:
        yield
    finally:
        for number, former in previous.items():
            signal.signal(number, former)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Clean up to the end: an impatient second Ctrl-C must not leave servers behind."""
    with handling(signal.SIG_IGN):
        yield


def interrupt_on_every_ending() -> None:
    """Being told to end is a reason to clean up, as Ctrl-C is."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in ENDING:
        signal.signal(number, interrupt)
