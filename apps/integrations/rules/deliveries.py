"""Who wants an event, and when it is sent again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from apps.core.events import EventKind, all_kinds, kind_named
from apps.integrations.rules.messages import leaving

GIVEN_UP_AFTER = timedelta(days=3)
PAUSED_AFTER = timedelta(days=1)
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=12)
LONGEST_REST = timedelta(minutes=5)
# Waits are a fifth longer or shorter, so that those that failed together don't come together.
JITTER = 0.2
ALL = "*"


def next_try(
    attempts: int, *, first_tried_at: datetime, now: datetime, chance: float
) -> datetime | None:
    """When a delivery that failed so many times is tried again; None once it is given up.

    Args:
        attempts: how many there were, at least one.
        chance: a random number from 0 to 1.
    """
    again = now + _wait(attempts, LONGEST_WAIT, chance)
    return again if again - first_tried_at <= GIVEN_UP_AFTER else None


def rest_until(failures: int, *, now: datetime, chance: float) -> datetime:
    """Until when a target that is away is left alone, after so many failures in a row."""
    return now + _wait(failures, LONGEST_REST, chance)


def _wait(times: int, longest: timedelta, chance: float) -> timedelta:
    wait = min(FIRST_WAIT * 4 ** min(times - 1, 20), longest)
    return wait * (1 + JITTER * (2 * chance - 1))


def names_wanted(patterns: Collection[str]) -> set[str]:
    """The events that patterns such as `lead.created`, `sales.leads.*` or `*` stand for."""
    return {kind.name for kind in leaving(all_kinds()) if any(_fits(kind, one) for one in patterns)}


def wants(patterns: Sequence[str], name: str) -> bool:
    """Whether one of the patterns stands for an event."""
    kind = kind_named(name)
    return bool(leaving([kind])) and any(_fits(kind, one) for one in patterns)


def _fits(kind: EventKind, pattern: str) -> bool:
    return pattern in (ALL, kind.name, f"{kind.topic}.*")


def unknown_patterns(patterns: Iterable[str]) -> list[str]:
    """Those that stand for no event at all."""
    return sorted({one for one in patterns if not names_wanted([one])})
