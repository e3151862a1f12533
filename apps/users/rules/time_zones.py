"""Time zones by their names in the IANA database."""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo, available_timezones


@cache
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


def is_time_zone(name: str) -> bool:
    """Whether a time zone has this name."""
    return name in _known()


def zone_for(name: str, *, otherwise: str) -> ZoneInfo:
    """The time zone with a name; another one where there is none of it."""
    return ZoneInfo(name if is_time_zone(name) else otherwise)
