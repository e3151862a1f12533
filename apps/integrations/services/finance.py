"""What finance is told beside the forecasts (sales-system-integrations, Finance System).

    partners.finance    commission.eligible, commission.reversed
    partners.finance    revenue.forecast, of each month that ended
    partners.finance    pipeline.report, territory.performance, of each quarter that ended

Credits name whom commissions are worked out for, as they are called when they are told. Reports say
what was kept when they were issued, however often they are sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.forecasts.models import FinanceReport
from apps.forecasts.selectors.finance import (
    MonthlyFigures,
    PeriodForecast,
    QuarterPipeline,
    Sold,
    TerritoryFigures,
    figures_read,
)
from apps.integrations.rules.messages import Telling
from apps.quotas.events import CreditGiven, CreditReversed
from apps.users.models import User

CHANNEL = "partners.finance"


@dataclass(frozen=True, kw_only=True)
class CreditedPerson:
    """Whoever is credited, and with what: as who sold (`revenue`), or helped (`overlay`)."""

    user_id: UUID
    name: str
    email: str
    kind: str
    amount: Decimal
    converted_amount: Decimal


@dataclass(frozen=True, kw_only=True)
class CommissionEligible:
    """People are credited with a won deal, which commissions are worked out from.

    `amount` is what shares of kind `revenue` come to, overlays lie beside it. It is converted by
    the rate of the day the deal was won. All that is told of a deal adds up to what stands.
    """

    opportunity_id: UUID
    version: int
    closed_on: date
    amount: Decimal
    currency: str
    converted_amount: Decimal
    converted_currency: str
    shares: tuple[CreditedPerson, ...]


@dataclass(frozen=True, kw_only=True)
class CommissionReversed(CommissionEligible):
    """What people were credited of a deal is taken back, because it was reopened, handed over or
    shared anew. No amount is above zero."""


@dataclass(frozen=True, kw_only=True)
class _Report:
    """What every report says of itself: the last `number` of a period is the newest.

    What was sold, quotas and what is attained are in `currency`, the organisation's.
    """

    report_id: UUID
    period: str
    starts_on: date
    ends_on: date
    number: int
    issued_at: datetime
    currency: str


@dataclass(frozen=True, kw_only=True)
class RevenueForecast(_Report):
    """What a month brought in, and what is forecast for the periods that are open."""

    revenue: Sold
    forecasts: tuple[PeriodForecast, ...]


@dataclass(frozen=True, kw_only=True)
class PipelineReport(_Report):
    """What a quarter brought in, and what is open for this one and the next: by stage, and how many
    times over it covers what the quota lacks."""

    revenue: Sold
    pipelines: tuple[QuarterPipeline, ...]


@dataclass(frozen=True, kw_only=True)
class TerritoryPerformance(_Report):
    """What was sold in each territory in a quarter, against its quota, and what is forecast for
    `forecast_period`. Each holds what lies below it."""

    forecast_period: str
    territories: tuple[TerritoryFigures, ...]


ELIGIBLE = Telling("commission.eligible", CHANNEL, CommissionEligible)
REVERSED = Telling("commission.reversed", CHANNEL, CommissionReversed)
REVENUE = Telling("revenue.forecast", CHANNEL, RevenueForecast)
PIPELINE = Telling("pipeline.report", CHANNEL, PipelineReport)
TERRITORIES = Telling("territory.performance", CHANNEL, TerritoryPerformance)
TELLINGS = (ELIGIBLE, REVERSED, REVENUE, PIPELINE, TERRITORIES)


def people_credited(told: CreditGiven | CreditReversed) -> set[UUID]:
    """Whom finance is told of."""
    return {one.user_id for one in told.shares if one.user_id is not None}


def credited(
    told: CreditGiven | CreditReversed, people: Mapping[UUID, User]
) -> CommissionEligible | None:
    """What finance is told of a deal's credit; nothing where only a territory's changed."""
    shares = tuple(
        CreditedPerson(
            user_id=one.user_id,
            name=people[one.user_id].name,
            email=people[one.user_id].email,
            kind=one.kind,
            amount=one.amount,
            converted_amount=one.converted_amount,
        )
        for one in told.shares
        if one.user_id is not None
    )
    if not shares:
        return None
    kind = CommissionReversed if isinstance(told, CreditReversed) else CommissionEligible
    return kind(
        opportunity_id=told.opportunity_id,
        version=told.version,
        closed_on=told.closed_on,
        amount=told.amount,
        currency=told.currency,
        converted_amount=told.converted_amount,
        converted_currency=told.converted_currency,
        shares=shares,
    )


def reported(report: FinanceReport) -> Iterator[tuple[Telling, object]]:
    """What finance is told of a report."""
    itself: dict[str, Any] = {
        "report_id": report.pk,
        **{one.name: getattr(report, one.name) for one in fields(_Report)[1:]},
    }
    found = figures_read(report)
    if isinstance(found, MonthlyFigures):
        yield (
            REVENUE,
            RevenueForecast(**itself, revenue=found.revenue, forecasts=found.forecasts),
        )
        return
    yield PIPELINE, PipelineReport(**itself, revenue=found.revenue, pipelines=found.pipelines)
    yield (
        TERRITORIES,
        TerritoryPerformance(
            **itself, forecast_period=found.forecast_period, territories=found.territories
        ),
    )
