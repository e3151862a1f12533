"""Keep the parts of the platform running until told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from salesplatform.embedded.errors import CannotStart
from salesplatform.embedded.parts import Part
from salesplatform.embedded.signals import handling

LOOK_EVERY = 0.25
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STEADY_AFTER = 60.0
FAILED_AT_START = 10.0


@dataclass
class Watch:
    """One part and its record of ending too early."""

    part: Part
    started_at: float = 0.0
    start_again_at: float = 0.0
    failures: int = 0

    @property
    def pause(self) -> float:
        return min(FIRST_PAUSE * 2.0**self.failures, LONGEST_PAUSE)


class Supervisor:
    """Starts parts, and starts again what dies."""

    def __init__(self, running: Sequence[Part], say: Callable[[str], None]) -> None:
        self.watches = [Watch(part) for part in running]
        self.say = say
        self.told_to_stop = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take Ctrl-C and SIGTERM as the wish to stop, also while parts start."""

        def remember(_: int, __: FrameType | None) -> None:
            self.told_to_stop = True

        with handling(remember):
            yield

    def start(self, *parts: Part) -> None:
        """Take these parts into care, too."""
        for part in parts:
            self.watches.append(Watch(part))
            self._start(self.watches[-1])

    def wait_for(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Supervise until the condition holds, the time is over or somebody wants to stop."""
        deadline = time.monotonic() + seconds
        while not self.told_to_stop and time.monotonic() < deadline:
            if condition():
                return True
            self.look()
            time.sleep(LOOK_EVERY)
        return False

    def watch(self) -> None:
        """Supervise until told to stop."""
        while not self.told_to_stop:
            self.look()
            time.sleep(LOOK_EVERY)

    def look(self) -> None:
        """Start again what has ended and has waited long enough."""
        for watch in self.watches:
            if watch.start_again_at:
                if time.monotonic() >= watch.start_again_at:
                    self._start(watch)
            elif not watch.part.is_alive:
                self._plan_restart(watch, watch.part.ending)

    def _start(self, watch: Watch) -> None:
        watch.start_again_at = 0.0
        watch.started_at = time.monotonic()
        try:
            watch.part.start()
        except CannotStart as reason:
            self._plan_restart(watch, str(reason))

    def _plan_restart(self, watch: Watch, ending: str) -> None:
        now = time.monotonic()
        lived = now - watch.started_at
        if lived > STEADY_AFTER:
            watch.failures = 0
        self.say(f"{watch.part.name} ended ({ending}); starting it again in {watch.pause:g} s")
        if not watch.failures and lived < FAILED_AT_START and (lines := watch.part.last_lines()):
            self.say(f"the log of {watch.part.name} ends:\n{lines}")
        watch.start_again_at = now + watch.pause
        watch.failures += 1
