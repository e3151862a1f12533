"""How long somebody has to wait after failing to sign in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Failures that are let pass, and waits in seconds that double with each further one."""

    free: int
    first_wait: int = 30
    longest_wait: int = 900

    def wait_after(self, failures: int) -> int:
        """The wait that the last of these failures brings."""
        if failures < self.free:
            return 0
        return int(min(self.longest_wait, self.first_wait * 2 ** min(failures - self.free, 20)))


WITH_ACCOUNT = Patience(free=5)
WITH_ADDRESS = Patience(free=50)
