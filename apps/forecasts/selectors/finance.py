"""The figures of reports to finance: everything that is sold and forecast, as it stands now.

Of each currency for itself; revenue, quotas and what is attained are in the organisation's, which a
report names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from django.conf import settings
from django.db import connection

from apps.core.actors import Actor, system_actor
from apps.core.errors import NotFound
from apps.core.money import ZERO, to_cents
from apps.core.periods import Period, PeriodKind, period_containing
from apps.core.permissions import require
from apps.forecasts.models import FinanceReport
from apps.forecasts.permissions import READ_REPORT
from apps.forecasts.rules import ForecastType, Outlook
from apps.forecasts.selectors.nodes import periods_open_at
from apps.forecasts.selectors.roll_up import Figures, Sheet, deals_of, roll_up
from apps.opportunities.rules import Category
from apps.quotas.models import Quota
from apps.quotas.rules import QuotaType, percentage_of
from apps.quotas.selectors.attainment import Revenue, TerritoryRevenue, revenue
from apps.territories.models import Territory

# From this hour of the organisation's day on reports are issued.
ISSUED_FROM_HOUR = 7
_EVERYBODY = system_actor(door="report")


@dataclass(frozen=True, kw_only=True)
class SoldInTerritory:
    """What was sold in a territory itself."""

    territory_id: UUID
    name: str
    amount: Decimal
    deals: Decimal


@dataclass(frozen=True, kw_only=True)
class Sold:
    """What was sold; shares of a deal add up to it."""

    amount: Decimal
    deals: Decimal
    by_territory: tuple[SoldInTerritory, ...]


@dataclass(frozen=True, kw_only=True)
class ForecastFigures:
    """What a period comes to in one currency: closed, open, likely and said.

    It comes to less than `low_amount` in one of ten cases, to more than `high_amount` in one.
    `coverage` says how many times over what is open covers the gap to the quota.
    """

    currency: str
    closed_amount: Decimal
    commit_amount: Decimal
    best_case_amount: Decimal
    pipeline_amount: Decimal
    open_amount: Decimal
    weighted_amount: Decimal
    model_weighted_amount: Decimal | None
    low_amount: Decimal | None
    high_amount: Decimal | None
    submitted_amount: Decimal | None
    adjusted_amount: Decimal | None
    quota_amount: Decimal | None
    gap_amount: Decimal | None
    coverage: Decimal | None


@dataclass(frozen=True, kw_only=True)
class PeriodForecast:
    """What is forecast for a period."""

    period: str
    starts_on: date
    ends_on: date
    currencies: tuple[ForecastFigures, ...]


@dataclass(frozen=True, kw_only=True)
class StageFigures:
    """The open deals in a stage."""

    stage: str
    currency: str
    count: int
    total_amount: Decimal
    weighted_amount: Decimal


@dataclass(frozen=True, kw_only=True)
class QuarterPipeline(PeriodForecast):
    """What is open for a quarter, by stage, and how that covers what is lacking."""

    stages: tuple[StageFigures, ...]


@dataclass(frozen=True, kw_only=True)
class TerritoryForecast:
    """What a territory comes to in one currency."""

    currency: str
    closed_amount: Decimal
    open_amount: Decimal
    weighted_amount: Decimal


@dataclass(frozen=True, kw_only=True)
class TerritoryFigures:
    """What was sold in a territory and those below it, against its quota, and what is forecast."""

    territory_id: UUID
    name: str
    parent_territory_id: UUID | None
    depth: int
    revenue_amount: Decimal
    deals: Decimal
    quota_amount: Decimal | None
    attainment_percentage: Decimal | None
    forecast: tuple[TerritoryForecast, ...]


@dataclass(frozen=True, kw_only=True)
class MonthlyFigures:
    """What a month brought in, and what is forecast for the periods that are open."""

    revenue: Sold
    forecasts: tuple[PeriodForecast, ...]


@dataclass(frozen=True, kw_only=True)
class QuarterlyFigures:
    """What a quarter brought in, what is open for this one and the next, and how territories do.

    `forecast_period` is the quarter that territories are forecast for.
    """

    revenue: Sold
    pipelines: tuple[QuarterPipeline, ...]
    forecast_period: str
    territories: tuple[TerritoryFigures, ...]


KINDS = {
    PeriodKind.MONTH: FinanceReport.Kind.MONTHLY,
    PeriodKind.QUARTER: FinanceReport.Kind.QUARTERLY,
}


def periods_due(now: datetime) -> Iterator[Period]:
    """The months and quarters that ended without a report, from seven in the morning on.

    Those of before the first report are not missed.
    """
    local = now.astimezone(ZoneInfo(settings.ORGANISATION_TIME_ZONE))
    if local.hour < ISSUED_FROM_HOUR:
        return
    for kind in KINDS:
        ended = _before(_period_of(local.date(), kind))
        reports = FinanceReport.objects.filter(kind=KINDS[kind], is_scheduled=True)
        last = reports.order_by("-ends_on").values_list("ends_on", flat=True).first()
        due = ended if last is None else _period_of(last + timedelta(days=1), kind)
        while due.ends_on <= ended.ends_on:
            yield due
            due = _period_of(due.ends_on + timedelta(days=1), kind)


def _period_of(day: date, kind: PeriodKind) -> Period:
    return period_containing(day, kind, start_month=settings.FISCAL_YEAR_START_MONTH)


def _before(period: Period) -> Period:
    return _period_of(period.starts_on - timedelta(days=1), period.kind)


def figures_of(period: Period, *, now: datetime) -> MonthlyFigures | QuarterlyFigures:
    """What a report on a month or quarter says now."""
    if period.kind == PeriodKind.MONTH:
        return monthly_figures(period, now=now)
    return quarterly_figures(period, now=now)


def report_read_by(actor: Actor, report_id: UUID) -> FinanceReport:
    """A report, for whoever may read it. Raises NotAllowed, NotFound."""
    require(actor, READ_REPORT)
    report = FinanceReport.objects.filter(pk=report_id).first()
    if report is None:
        raise NotFound
    return report


def figures_read(report: FinanceReport) -> MonthlyFigures | QuarterlyFigures:
    """What a report says."""
    if report.kind == FinanceReport.Kind.MONTHLY:
        return msgspec.convert(report.figures, MonthlyFigures)
    return msgspec.convert(report.figures, QuarterlyFigures)


def monthly_figures(period: Period, *, now: datetime) -> MonthlyFigures:
    """What a month brought in, and what is forecast for the periods that are open now."""
    return MonthlyFigures(
        revenue=_sold(revenue(period=period, actor=_EVERYBODY)),
        forecasts=tuple(PeriodForecast(**_forecast(one)) for one in sorted(periods_open_at(now))),
    )


def quarterly_figures(period: Period, *, now: datetime) -> QuarterlyFigures:
    """What a quarter brought in, what is open for those that come, and how territories do."""
    quarters = sorted(one for one in periods_open_at(now) if one.kind == PeriodKind.QUARTER)
    found = revenue(period=period, actor=_EVERYBODY)
    return QuarterlyFigures(
        revenue=_sold(found),
        pipelines=tuple(QuarterPipeline(**_forecast(one), stages=_stages(one)) for one in quarters),
        forecast_period=quarters[0].key,
        territories=_territories(found, period, quarters[0]),
    )


def _sold(found: Revenue) -> Sold:
    ids = [one.territory_id for one in found.by_territory]
    names = dict(Territory.objects.filter(pk__any=ids).values_list("pk", "name"))
    return Sold(
        amount=found.amount,
        deals=to_cents(found.deals),
        by_territory=tuple(
            SoldInTerritory(
                territory_id=one.territory_id,
                name=names[one.territory_id],
                amount=one.amount,
                deals=to_cents(one.deals),
            )
            for one in found.by_territory
        ),
    )


def _forecast(period: Period) -> dict[str, Any]:
    found = roll_up(actor=_EVERYBODY, period=period)
    return {
        "period": period.key,
        "starts_on": period.starts_on,
        "ends_on": period.ends_on,
        "currencies": tuple(
            _figures(one, found.outlooks.get(one.currency)) for one in found.total.in_order()
        ),
    }


def _figures(found: Figures, outlook: Outlook | None) -> ForecastFigures:
    return ForecastFigures(
        currency=found.currency,
        closed_amount=found.closed_amount,
        commit_amount=found.amount_of(Category.COMMIT),
        best_case_amount=found.amount_of(Category.BEST_CASE),
        pipeline_amount=found.amount_of(Category.PIPELINE),
        open_amount=found.open_amount,
        weighted_amount=found.weighted_amount,
        model_weighted_amount=found.model_weighted_amount,
        low_amount=None if outlook is None else outlook.low,
        high_amount=None if outlook is None else outlook.high,
        submitted_amount=found.submitted.get(ForecastType.COMMIT),
        adjusted_amount=found.adjusted.get(ForecastType.COMMIT),
        quota_amount=found.quota,
        gap_amount=found.gap,
        coverage=found.coverage,
    )


# In the order in which deals pass through them.
_STAGES = """
SELECT f.stage, f.currency, count(*)::int, sum(f.amount), sum(f.weighted_amount)
FROM forecasts_forecastfact f
WHERE f.ended_at IS NULL AND f.counts_on BETWEEN %s AND %s AND f.category <> 'closed'
GROUP BY f.stage, f.currency ORDER BY f.currency <> %s, f.currency, avg(f.probability), f.stage
"""


def _stages(period: Period) -> tuple[StageFigures, ...]:
    with connection.cursor() as cursor:
        cursor.execute(_STAGES, [period.starts_on, period.ends_on, settings.DEFAULT_CURRENCY])
        return tuple(
            StageFigures(
                stage=stage,
                currency=currency,
                count=count,
                total_amount=total,
                weighted_amount=weighted,
            )
            for stage, currency, count, total, weighted in cursor.fetchall()
        )


def _territories(found: Revenue, ended: Period, coming: Period) -> tuple[TerritoryFigures, ...]:
    """Every territory that is in use or has anything to tell, each below the one above it."""
    tree = _Tree({one.pk: one for one in Territory.objects.order_by("name", "pk")})
    sold = {one.territory_id: one for one in found.by_territory}
    quotas = dict(
        Quota.objects.filter(
            period=ended.key, quota_type=QuotaType.REVENUE, territory__isnull=False
        ).values_list("territory_id", "amount")
    )
    sheets = tree.sheets(coming)
    told = []
    for place, depth in tree.in_order():
        figures = _territory(place, depth, tree.below(place.pk, sold), quotas, sheets[place.pk])
        if place.is_active or figures.deals or figures.forecast or figures.quota_amount:
            told.append(figures)
    return tuple(told)


def _territory(
    place: Territory,
    depth: int,
    sold: list[TerritoryRevenue],
    quotas: Mapping[UUID, Decimal],
    sheet: Sheet,
) -> TerritoryFigures:
    amount, quota = sum((one.amount for one in sold), ZERO), quotas.get(place.pk)
    return TerritoryFigures(
        territory_id=place.pk,
        name=place.name,
        parent_territory_id=place.parent_territory_id,
        depth=depth,
        revenue_amount=amount,
        deals=to_cents(sum((one.deals for one in sold), ZERO)),
        quota_amount=quota,
        attainment_percentage=None if quota is None else percentage_of(amount, quota),
        forecast=tuple(
            TerritoryForecast(
                currency=one.currency,
                closed_amount=one.closed_amount,
                open_amount=one.open_amount,
                weighted_amount=one.weighted_amount,
            )
            for one in sheet.in_order()
        ),
    )


class _Tree:
    """All territories, and what lies below each."""

    def __init__(self, places: Mapping[UUID, Territory]) -> None:
        self._places = places
        self._children: dict[UUID | None, list[Territory]] = defaultdict(list)
        for one in places.values():
            self._children[one.parent_territory_id].append(one)
        self._order = list(self._walk(None, 0))
        self._below: dict[UUID, list[UUID]] = {one: [one] for one in places}
        for place, _ in reversed(self._order):
            if place.parent_territory_id is not None:
                self._below[place.parent_territory_id] += self._below[place.pk]

    def _walk(self, above: UUID | None, depth: int) -> Iterator[tuple[Territory, int]]:
        for one in self._children[above]:
            yield one, depth
            yield from self._walk(one.pk, depth + 1)

    def in_order(self) -> list[tuple[Territory, int]]:
        """Each with how many lie above it, those below it after it."""
        return self._order

    def below(
        self, place_id: UUID, sold: Mapping[UUID, TerritoryRevenue]
    ) -> list[TerritoryRevenue]:
        """What was sold in a territory and in those below it."""
        return [sold[one] for one in self._below[place_id] if one in sold]

    def sheets(self, period: Period) -> dict[UUID, Sheet]:
        """What each territory with those below it comes to in a period."""
        deals = defaultdict(list)
        for place_id, currency, found in deals_of(self._places, period):
            deals[place_id].append((currency, found))
        sheets: dict[UUID, Sheet] = {}
        for place_id, below in self._below.items():
            sheets[place_id] = Sheet()
            for one in below:
                for currency, found in deals[one]:
                    sheets[place_id][currency].add_deals(found)
        return sheets


COLUMNS = ("part", "period", "of", "currency", "figure", "value")
_OF_STAGE = ("count", "total_amount", "weighted_amount")
_OF_TERRITORY = ("revenue_amount", "deals", "quota_amount", "attainment_percentage")
_OF_FORECAST = ("closed_amount", "open_amount", "weighted_amount")


def rows_of(report: FinanceReport) -> Iterator[dict[str, object]]:
    """A report as a table, a figure a row: that is how spreadsheets add up and turn things."""
    found, ours = figures_read(report), report.currency
    for part in found.revenue.by_territory:
        yield from _rows("revenue", report.period, part.name, ours, part, ("amount", "deals"))
    yield from _rows("revenue", report.period, "all", ours, found.revenue, ("amount", "deals"))
    if isinstance(found, MonthlyFigures):
        yield from _forecast_rows(found.forecasts)
        return
    yield from _forecast_rows(found.pipelines)
    for quarter in found.pipelines:
        for stage in quarter.stages:
            yield from _rows(
                "pipeline", quarter.period, stage.stage, stage.currency, stage, _OF_STAGE
            )
    for place in found.territories:
        yield from _rows("territory", report.period, place.name, ours, place, _OF_TERRITORY)
        for one in place.forecast:
            coming = found.forecast_period
            yield from _rows("territory", coming, place.name, one.currency, one, _OF_FORECAST)


def _forecast_rows(periods: Iterable[PeriodForecast]) -> Iterator[dict[str, object]]:
    names = [one.name for one in fields(ForecastFigures) if one.name != "currency"]
    for period in periods:
        for one in period.currencies:
            yield from _rows("forecast", period.period, "all", one.currency, one, names)


def _rows(
    part: str, period: str, of: str, currency: str, found: object, names: Iterable[str]
) -> Iterator[dict[str, object]]:
    for name in names:
        if (value := getattr(found, name)) is not None:
            row = (part, period, of, currency, name, value)
            yield dict(zip(COLUMNS, row, strict=True))
