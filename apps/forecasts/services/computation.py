"""Forecasts computed from the deals: on request, at night, and when deals change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.periods import Period
from apps.core.permissions import require
from apps.forecasts.metrics import forecast_computed_at
from apps.forecasts.permissions import COMPUTE_FORECAST
from apps.forecasts.rules import Node, Occasion
from apps.forecasts.selectors.nodes import (
    nodes_to_forecast,
    periods_forecast_for,
    periods_open_at,
)
from apps.forecasts.services.facts import (
    Place,
    begin_computing,
    note_deals,
    note_deals_of_days,
    note_past,
)
from apps.forecasts.services.snapshots import Cell, take_snapshots


@command
def compute_forecasts(
    *,
    actor: Actor,
    kind: str = Occasion.REQUEST,
    periods: Sequence[Period] | None = None,
    nodes: Sequence[Node] | None = None,
) -> int:
    """Compute what is to be expected of people and territories, from all deals as they are now.

    Args:
        actor: needs `forecast:compute`.
        kind: why, one of `Occasion`.
        periods: without them those forecast every night.
        nodes: without them everybody who sells and every territory.

    Returns:
        How many forecasts were computed.

    Raises:
        NotAllowed.
    """
    require(actor, COMPUTE_FORECAST)
    moment = begin_computing()
    if periods is None:
        periods = periods_open_at(timezone.now())
        note_past(moment)
    for first, last in _spans(periods):
        note_deals_of_days(first, last, moment)
    if nodes is None:
        nodes = nodes_to_forecast(periods)
    cells = [Cell(node, period) for period in periods for node in nodes]
    return _take(cells, occasion=kind, moment=moment, actor=actor)


@command
def recompute_affected(*, opportunity_ids: Collection[UUID], actor: Actor) -> int:
    """Compute anew what changed deals change: of whoever they counted for or count for now, the
    periods in which they did or do.

    Deals that count as they did affect nothing, so doing it twice is harmless.
    Returns how many forecasts were computed. Raises NotAllowed.
    """
    require(actor, COMPUTE_FORECAST)
    moment = begin_computing()
    places = note_deals(opportunity_ids, moment)
    cells = _affected(places, moment)
    return _take(cells, occasion=Occasion.EVENT, moment=moment, actor=actor)


def _affected(places: Iterable[Place], moment: datetime) -> list[Cell]:
    """The forecasts in which some places count: the open periods, and those forecast before."""
    days: dict[Node, set[date]] = defaultdict(set)
    for one in places:
        days[Node(user_id=one.owner_id)].add(one.counts_on)
        if one.territory_id:
            days[Node(territory_id=one.territory_id)].add(one.counts_on)
    known = [(node, period) for node in days for period in periods_open_at(moment)]
    known += periods_forecast_for([node.id for node in days])
    cells: dict[tuple[Node, str], Cell] = {}
    for node, period in known:
        if any(day in period for day in days[node]):
            cells.setdefault((node, period.key), Cell(node, period))
    return list(cells.values())


def _take(cells: Sequence[Cell], *, occasion: str, moment: datetime, actor: Actor) -> int:
    take_snapshots(cells, occasion=occasion, moment=moment, actor=actor)
    if cells:
        gauge = forecast_computed_at.labels(occasion=occasion)
        transaction.on_commit(lambda: gauge.set(moment.timestamp()), robust=True)
    return len(cells)


def _spans(periods: Iterable[Period]) -> list[tuple[date, date]]:
    """The days of some periods, each once: those that meet or overlap as one span."""
    spans: list[tuple[date, date]] = []
    for one in sorted(periods):
        if spans and one.starts_on <= spans[-1][1] + timedelta(days=1):
            spans[-1] = (spans[-1][0], max(spans[-1][1], one.ends_on))
        else:
            spans.append((one.starts_on, one.ends_on))
    return spans
