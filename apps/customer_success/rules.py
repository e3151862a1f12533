"""How well a customer fares, and what belongs to a ticket, an escalation or a feature request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import TextChoices

from apps.core.errors import InvalidInput

EARLIEST_YEAR = 1970
HEALTHY_FROM, AT_RISK_FROM = 70, 40


class Level(TextChoices):
    """What a health score of 0 to 100 means."""

    HEALTHY = "healthy"
    AT_RISK = "at_risk", "At risk"
    POOR = "poor"


class MeasureKind(TextChoices):
    """What is said of an account in numbers."""

    HEALTH = "health"
    USAGE = "usage"
    NPS = "nps", "NPS"


class CaseKind(TextChoices):
    """What a customer wants to be taken care of."""

    TICKET = "ticket"
    ESCALATION = "escalation"
    FEATURE_REQUEST = "feature_request", "Feature request"


class Severity(TextChoices):
    """How bad it is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


# In the order in which they usually come; feature requests are ideas, the others are trouble.
ACTIVE: Mapping[str, tuple[str, ...]] = {
    CaseKind.TICKET: ("open", "pending"),
    CaseKind.ESCALATION: ("open", "in_progress"),
    CaseKind.FEATURE_REQUEST: ("open", "planned", "in_progress"),
}
OVER: Mapping[str, tuple[str, ...]] = {
    CaseKind.TICKET: ("solved", "closed"),
    CaseKind.ESCALATION: ("resolved",),
    CaseKind.FEATURE_REQUEST: ("shipped", "declined"),
}


@dataclass(frozen=True)
class Standing:
    """How a customer fares, as far as it matters to deals; without `health` nobody said."""

    health: int | None = None
    previous_health: int | None = None
    critical_tickets: int = 0


UNKNOWN = Standing()


def level_of(score: int) -> Level:
    """The level of a health score."""
    if score >= HEALTHY_FROM:
        return Level.HEALTHY
    return Level.AT_RISK if score >= AT_RISK_FROM else Level.POOR


def is_over(kind: str, status: str) -> bool:
    """Whether nothing more will happen about it."""
    return status in OVER[kind]


def check_times(opened_at: datetime, ended_at: datetime | None) -> None:
    """Refuse what ends before it begins, or began before anybody kept such things.

    Raises InvalidInput.
    """
    if opened_at.year < EARLIEST_YEAR:
        raise InvalidInput.field("opened_at", f"This lies before {EARLIEST_YEAR}.")
    if ended_at is not None and ended_at < opened_at:
        raise InvalidInput.field("ended_at", "This lies before it was opened.")
