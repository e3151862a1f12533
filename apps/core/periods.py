"""Periods: the months, fiscal quarters and fiscal years that targets and forecasts are about.

`M03_2026` is March 2026. `Q1_2026` and `FY_2026` are fiscal: the fiscal year bears the number of
the calendar year in which it ends, and starts in the month of the setting FISCAL_YEAR_START_MONTH.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

from apps.core.errors import InvalidInput

_PATTERN = re.compile(r"(?:M(?P<month>0[1-9]|1[0-2])|Q(?P<quarter>[1-4])|FY)_(?P<year>\d{4})")
_FIRST_YEAR, _LAST_YEAR = 1990, 2199


class PeriodKind(StrEnum):
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


_EXAMPLES = {
    PeriodKind.QUARTER: "Q1_2026",
    PeriodKind.MONTH: "M03_2026",
    PeriodKind.YEAR: "FY_2026",
}


@dataclass(frozen=True, order=True)
class Period:
    """A span of whole days, both ends included."""

    starts_on: date
    ends_on: date
    key: str
    kind: PeriodKind

    def __str__(self) -> str:
        return self.key

    def __contains__(self, day: date) -> bool:
        return self.starts_on <= day <= self.ends_on


def _first_of_month(index: int) -> date:
    """The first day of the month with this running number (year × 12 + month − 1)."""
    return date(index // 12, index % 12 + 1, 1)


def _span(first_month: int, months: int) -> tuple[date, date]:
    return _first_of_month(first_month), _first_of_month(first_month + months) - timedelta(days=1)


def _fiscal_start(year: int, start_month: int) -> int:
    """The running number of the first month of a fiscal year."""
    starts_in = year if start_month == 1 else year - 1
    return starts_in * 12 + start_month - 1


def parse_period(
    key: str,
    *,
    start_month: int = 1,
    kinds: Collection[PeriodKind] = tuple(PeriodKind),
    name: str = "period",
) -> Period:
    """The period a key names. Raises InvalidInput, naming the forms that are allowed.

    Args:
        start_month: of the fiscal year.
        kinds: those that are meant.
        name: of the field that holds the key.
    """
    match = _PATTERN.fullmatch(key)
    kind = _kind_of(match)
    if match is None or kind not in kinds or not _FIRST_YEAR <= int(match["year"]) <= _LAST_YEAR:
        raise InvalidInput.field(name, f"Write a {name.replace('_', ' ')} as {_written(kinds)}.")
    year = int(match["year"])
    if kind is PeriodKind.MONTH:
        starts_on, ends_on = _span(year * 12 + int(match["month"]) - 1, 1)
        return Period(starts_on, ends_on, key, kind)
    first = _fiscal_start(year, start_month)
    if kind is PeriodKind.QUARTER:
        starts_on, ends_on = _span(first + (int(match["quarter"]) - 1) * 3, 3)
        return Period(starts_on, ends_on, key, kind)
    starts_on, ends_on = _span(first, 12)
    return Period(starts_on, ends_on, key, PeriodKind.YEAR)


def _kind_of(match: re.Match[str] | None) -> PeriodKind:
    if match and match["month"]:
        return PeriodKind.MONTH
    return PeriodKind.QUARTER if match and match["quarter"] else PeriodKind.YEAR


def _written(kinds: Collection[PeriodKind]) -> str:
    *others, last = [example for kind, example in _EXAMPLES.items() if kind in kinds]
    return f"{', '.join(others)} or {last}" if others else last


def period_containing(day: date, kind: PeriodKind, *, start_month: int = 1) -> Period:
    """The month, fiscal quarter or fiscal year in which a day lies."""
    if kind is PeriodKind.MONTH:
        return parse_period(f"M{day.month:02d}_{day.year}", start_month=start_month)
    year = day.year if start_month == 1 or day.month < start_month else day.year + 1
    if kind is PeriodKind.YEAR:
        return parse_period(f"FY_{year}", start_month=start_month)
    quarter = (day.month - start_month) % 12 // 3 + 1
    return parse_period(f"Q{quarter}_{year}", start_month=start_month)


def parts_of(period: Period, kind: PeriodKind, *, start_month: int = 1) -> list[Period]:
    """The months, quarters or years that a period consists of, in their order.

    Raises InvalidInput where it is no whole number of them.
    """
    parts: list[Period] = []
    day = period.starts_on
    while day <= period.ends_on:
        parts.append(period_containing(day, kind, start_month=start_month))
        day = parts[-1].ends_on + timedelta(days=1)
    if (parts[0].starts_on, parts[-1].ends_on) != (period.starts_on, period.ends_on):
        raise InvalidInput.field("by", f"{period} has no whole {kind}s.")
    return parts


def organisation_today() -> date:
    """The calendar day it is where the organisation is."""
    return organisation_day(timezone.now())


def organisation_day(moment: datetime) -> date:
    """The calendar day of a moment where the organisation is (ORGANISATION_TIME_ZONE)."""
    return moment.astimezone(ZoneInfo(settings.ORGANISATION_TIME_ZONE)).date()


def check_day(day: date, name: str) -> None:
    """See to it that a day lies in years that periods can have. Raises InvalidInput."""
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise InvalidInput.field(name, f"Give a day from {_FIRST_YEAR} to {_LAST_YEAR}.")


def check_days(first: date, last: date, *, at_most: int) -> None:
    """See to it that days that are asked about follow each other, and are not too many.

    Raises InvalidInput.
    """
    check_day(first, "from")
    check_day(last, "to")
    if not first <= last <= first + timedelta(days=at_most):
        raise InvalidInput.field("to", f"Give a day from `from` to {at_most} days later.")


def moments_of(first: date, last: date) -> tuple[datetime, datetime]:
    """When the first of some days begins, and the last one ends, where the organisation is."""
    zone = ZoneInfo(settings.ORGANISATION_TIME_ZONE)
    begin, end = (datetime.combine(day, time(), zone) for day in (first, last + timedelta(days=1)))
    return begin, end
