"""What forecasts are made for and how they compare. No database, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from django.db.models import TextChoices

from apps.core.periods import Period, PeriodKind, period_containing
from apps.opportunities.rules import Category

# What a deal can count as; `omitted` counts nowhere.
COUNTED = (Category.COMMIT, Category.BEST_CASE, Category.PIPELINE, Category.CLOSED)

_COVERAGE_STEP = Decimal("0.0001")


class ForecastType(TextChoices):
    """What a person can commit to. What is closed is counted, not called."""

    COMMIT = "commit"
    BEST_CASE = "best_case"
    PIPELINE = "pipeline"


class Occasion(TextChoices):
    """Why a forecast was computed."""

    NIGHTLY = "nightly"
    EVENT = "event"
    REQUEST = "request"


@dataclass(frozen=True)
class Node:
    """Whose a forecast is: a person's or a territory's."""

    user_id: UUID | None = None
    territory_id: UUID | None = None

    @property
    def id(self) -> UUID:
        """The id of whichever it is."""
        found = self.user_id or self.territory_id
        assert found is not None
        return found


def open_periods(day: date, *, start_month: int) -> tuple[Period, ...]:
    """The periods forecast every night: this year, this and the next quarter and month."""
    year = period_containing(day, PeriodKind.YEAR, start_month=start_month)
    found = [year]
    for kind in (PeriodKind.QUARTER, PeriodKind.MONTH):
        current = period_containing(day, kind, start_month=start_month)
        following = current.ends_on + timedelta(days=1)
        found += [current, period_containing(following, kind, start_month=start_month)]
    return tuple(found)


def coverage(pipeline: Decimal, amount: Decimal) -> Decimal | None:
    """How many times over the pipeline covers an amount; None for an amount of nothing."""
    if not amount:
        return None
    return (pipeline / amount).quantize(_COVERAGE_STEP, rounding=ROUND_HALF_UP)
