"""Values as PostgreSQL's COPY reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

NULL = "\\N"


_DAY = 86_400
_TIMES = [f"{at // 3600:02d}:{at // 60 % 60:02d}:{at % 60:02d}+00" for at in range(_DAY)]


@cache
def _date(number: int) -> str:
    return datetime.fromtimestamp(number * _DAY, UTC).date().isoformat()


def identifier(kind: int, number: int, at: float) -> str:
    """A version 7 UUID that is a function of what it stands for, so that rows can name others."""
    ms = int(at * 1000)
    scattered = (number * 2654435761 >> 7) & 0xFFF
    return f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7{scattered:03x}-8{kind:03x}-{number:012x}"


def moment(at: float) -> str:
    """Seconds since 1970 as a timestamp in UTC, to the second."""
    number, rest = divmod(int(at), _DAY)
    return f"{_date(number)} {_TIMES[rest]}"


def day(at: float) -> str:
    """Seconds since 1970 as a date in UTC."""
    return _date(int(at) // _DAY)
