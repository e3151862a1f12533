"""What happens to forecasts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from apps.core.events import event

TOPIC = "sales.forecasts"


@dataclass(frozen=True, kw_only=True)
class StageShare:
    """What the deals in one stage add to a forecast."""

    stage: str
    count: int
    total_amount: Decimal
    weighted_amount: Decimal


@event("forecast.updated", topic=TOPIC, about="node_id")
@dataclass(frozen=True, kw_only=True)
class ForecastUpdated:
    """A computed forecast came out anew (sales-system-integrations, Finance System).

    It is a territory's or a person's; `node_id` is whichever it is, so that those who listen hear
    the forecasts of one in order. `forecast_type` is the category.
    """

    period: str
    territory_id: UUID | None
    forecast_type: str
    amount: Decimal
    probability_weighted_amount: Decimal
    breakdown: tuple[StageShare, ...]
    generated_at: datetime
    user_id: UUID | None
    currency: str
    node_id: UUID


@event("forecast.submitted", topic=TOPIC, about="node_id")
@dataclass(frozen=True, kw_only=True)
class ForecastSubmitted:
    """Somebody said what a territory or person will bring in."""

    submission_id: UUID
    supersedes_id: UUID | None
    period: str
    territory_id: UUID | None
    user_id: UUID | None
    forecast_type: str
    amount: Decimal
    currency: str
    node_id: UUID


@event("forecast.adjusted", topic=TOPIC, about="node_id")
@dataclass(frozen=True, kw_only=True)
class ForecastAdjusted:
    """Somebody who leads a person, or manages a territory, takes their forecast for something else.

    Why stays with the adjustment.
    """

    adjustment_id: UUID
    supersedes_id: UUID | None
    period: str
    territory_id: UUID | None
    user_id: UUID | None
    forecast_type: str
    amount: Decimal
    currency: str
    node_id: UUID


@event("report.issued", topic=TOPIC, about="report_id")
@dataclass(frozen=True, kw_only=True)
class ReportIssued:
    """A report to finance was issued, the `number`-th of its month or quarter.

    Its figures stay with it, and never change.
    """

    report_id: UUID
    kind: str
    period: str
    number: int
    issued_at: datetime
