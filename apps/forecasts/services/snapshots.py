"""Snapshots: the facts of a moment, added up for nodes and periods, and told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection

from apps.core.actors import Actor
from apps.core.identifiers import new_id
from apps.core.journal import publish
from apps.core.periods import Period
from apps.forecasts.events import ForecastUpdated, StageShare
from apps.forecasts.rules import (
    FEW_DEALS,
    Chance,
    Moments,
    Node,
    Occasion,
    Outlook,
    outlook_of_few,
    outlook_of_many,
)
from apps.intelligence.rules.columns import Subject
from apps.intelligence.selectors.scores import is_published

AT_ONCE = 500


@dataclass(frozen=True)
class Cell:
    """What one snapshot is about."""

    node: Node
    period: Period


def take_snapshots(cells: Sequence[Cell], *, occasion: str, moment: datetime, actor: Actor) -> None:
    """Add up the facts that count now for nodes and periods, and tell what came out.

    Inside the caller's transaction, after `begin_computing`. At night every category that holds
    deals is told, otherwise those whose numbers changed.

    Args:
        cells: each at most once.
        occasion: one of `Occasion`.
        moment: when the snapshots count as taken.
        actor: for whom it is done.
    """
    for start in range(0, len(cells), AT_ONCE):
        _take(cells[start : start + AT_ONCE], occasion=occasion, moment=moment, actor=actor)


_SUPERSEDE = """
UPDATE forecasts_forecastsnapshot s SET is_current = FALSE
FROM unnest(%(nodes)s::uuid[], %(periods)s::text[]) AS c(node_id, period)
WHERE s.node_id = c.node_id AND s.period = c.period AND s.is_current
RETURNING s.id
"""
# How likely a deal is won: by the score model, else by its stage; what is closed is.
_LIKELY = """
CASE f.category WHEN 'closed' THEN 1 ELSE coalesce(d.probability, f.probability / 100.0) END
"""
_PART = """
SELECT c.id, f.currency, f.category, f.stage,
       count(*) AS count, sum(f.amount) AS amount, sum(f.weighted_amount) AS weighted_amount,
       sum(round(f.amount * p.likely, 2)) AS expected,
       sum(f.amount::float8 ^ 2 * (p.likely * (1 - p.likely))::float8) AS variance,
       sum(f.amount::float8 ^ 3 * (p.likely * (1 - p.likely) * (1 - 2 * p.likely))::float8)
           AS third_moment
FROM cell c JOIN forecasts_forecastfact f
     ON f.{node} = c.{of_cell} AND f.ended_at IS NULL
    AND f.counts_on BETWEEN c.starts_on AND c.ends_on
LEFT JOIN intelligence_dealprobability d ON d.opportunity_id = f.opportunity_id
CROSS JOIN LATERAL (SELECT {likely} AS likely) AS p
GROUP BY c.id, f.currency, f.category, f.stage
"""
# The leading currency is the organisation's; where no deal is in it, the one of most deals.
_TAKE = """
WITH cell AS (
    SELECT * FROM unnest(
        %(ids)s::uuid[], %(users)s::uuid[], %(territories)s::uuid[], %(periods)s::text[],
        %(starts)s::date[], %(ends)s::date[])
    AS c(id, user_id, territory_id, period, starts_on, ends_on)
), part AS (
    {of_people} UNION ALL {of_territories}
), line AS (
    SELECT p.id, p.currency, p.category, sum(p.count)::int AS count,
           sum(p.amount) AS amount, sum(p.weighted_amount) AS weighted_amount,
           CASE WHEN %(by_model)s THEN sum(p.expected) END AS model_weighted_amount,
           sum(p.variance) AS variance, sum(p.third_moment) AS third_moment,
           jsonb_agg(jsonb_build_object(
               'stage', p.stage, 'count', p.count, 'total_amount', p.amount,
               'weighted_amount', p.weighted_amount) ORDER BY s.position, p.stage) AS breakdown
    FROM part p
    LEFT JOIN (SELECT key, min(position) AS position FROM opportunities_stage GROUP BY key) s
           ON s.key = p.stage
    GROUP BY p.id, p.currency, p.category
), total AS (
    SELECT l.id, l.currency, sum(l.count) AS count, sum(l.weighted_amount) AS weighted_amount,
           sum(l.model_weighted_amount) AS model_weighted_amount,
           coalesce(sum(l.amount) FILTER (WHERE l.category <> 'closed'), 0) AS open_amount,
           coalesce(sum(l.amount) FILTER (WHERE l.category = 'closed'), 0) AS closed_amount
    FROM line l GROUP BY l.id, l.currency
), headline AS (
    SELECT DISTINCT ON (t.id) t.* FROM total t
    ORDER BY t.id, t.currency = %(currency)s DESC, t.count DESC, t.currency
), snapshot AS (
    INSERT INTO forecasts_forecastsnapshot
        (id, user_id, territory_id, period, starts_on, ends_on, kind, taken_at, is_current,
         currency, weighted_amount, open_amount, closed_amount, model_weighted_amount,
         low_amount, median_amount, high_amount)
    SELECT c.id, c.user_id, c.territory_id, c.period, c.starts_on, c.ends_on,
           %(occasion)s, %(moment)s, TRUE, coalesce(l.currency, %(currency)s),
           coalesce(l.weighted_amount, 0), coalesce(l.open_amount, 0),
           coalesce(l.closed_amount, 0),
           CASE WHEN %(by_model)s THEN coalesce(l.model_weighted_amount, 0) END,
           coalesce(l.closed_amount, 0), coalesce(l.closed_amount, 0), coalesce(l.closed_amount, 0)
    FROM cell c LEFT JOIN headline l ON l.id = c.id
)
INSERT INTO forecasts_forecastline
    (id, snapshot_id, currency, category, count, amount, weighted_amount, model_weighted_amount,
     variance, third_moment, breakdown)
SELECT uuidv7(), l.id, l.currency, l.category, l.count, l.amount, l.weighted_amount,
       l.model_weighted_amount, l.variance, l.third_moment, l.breakdown
FROM line l
""".format(
    of_people=_PART.format(node="owner_id", of_cell="user_id", likely=_LIKELY),
    of_territories=_PART.format(node="territory_id", of_cell="territory_id", likely=_LIKELY),
)
# The open deals of a snapshot's currency: one by one where they are few, else by their moments.
_CHANCES = """
SELECT array_agg(f.amount) AS amounts, array_agg({likely}::float8) AS chances
FROM forecasts_forecastfact f
LEFT JOIN intelligence_dealprobability d ON d.opportunity_id = f.opportunity_id
WHERE f.{node} = s.{of_cell} AND f.ended_at IS NULL AND m.count <= %(few)s
  AND f.counts_on BETWEEN s.starts_on AND s.ends_on
  AND f.currency = s.currency AND f.category <> 'closed'
"""
_OPEN_DEALS = """
SELECT s.id, s.closed_amount, s.open_amount, m.mean, m.variance, m.third_moment,
       coalesce(u.amounts, t.amounts), coalesce(u.chances, t.chances)
FROM forecasts_forecastsnapshot s
CROSS JOIN LATERAL (
    SELECT sum(l.count) AS count, sum(l.variance) AS variance,
           sum(l.third_moment) AS third_moment,
           sum(coalesce(l.model_weighted_amount, l.weighted_amount))::float8 AS mean
    FROM forecasts_forecastline l
    WHERE l.snapshot_id = s.id AND l.currency = s.currency AND l.category <> 'closed'
) AS m
CROSS JOIN LATERAL ({of_people}) AS u
CROSS JOIN LATERAL ({of_territories}) AS t
WHERE s.id = ANY(%(ids)s::uuid[]) AND m.count > 0
""".format(
    of_people=_CHANCES.format(node="owner_id", of_cell="user_id", likely=_LIKELY),
    of_territories=_CHANCES.format(node="territory_id", of_cell="territory_id", likely=_LIKELY),
)
_LOOK_OUT = """
UPDATE forecasts_forecastsnapshot s
SET low_amount = o.low, median_amount = o.median, high_amount = o.high
FROM unnest(%s::uuid[], %s::numeric[], %s::numeric[], %s::numeric[]) AS o(id, low, median, high)
WHERE s.id = o.id
"""
_LINES = """
SELECT s.node_id, s.user_id, s.territory_id, s.period,
       l.currency, l.category, l.amount, l.weighted_amount, l.breakdown
FROM forecasts_forecastsnapshot s JOIN forecasts_forecastline l ON l.snapshot_id = s.id
WHERE s.id = ANY({snapshots})
"""
_NEWS = """
SELECT period, coalesce(n.territory_id, o.territory_id), category,
       coalesce(n.amount, 0.00), coalesce(n.weighted_amount, 0.00),
       coalesce(n.breakdown, '[]')::text, %(moment)s,
       coalesce(n.user_id, o.user_id), currency, node_id
FROM ({now}) AS n FULL JOIN ({before}) AS o USING (node_id, period, currency, category)
WHERE %(everything)s
   OR (n.amount, n.weighted_amount, n.breakdown)
      IS DISTINCT FROM (o.amount, o.weighted_amount, o.breakdown)
ORDER BY period, node_id, currency, category
""".format(
    now=_LINES.format(snapshots="%(ids)s::uuid[]"),
    before=_LINES.format(snapshots="%(superseded)s::uuid[]"),
)


def _take(cells: Sequence[Cell], *, occasion: str, moment: datetime, actor: Actor) -> None:
    parameters: dict[str, Any] = {
        "ids": [new_id() for _ in cells],
        "nodes": [one.node.id for one in cells],
        "users": [one.node.user_id for one in cells],
        "territories": [one.node.territory_id for one in cells],
        "periods": [one.period.key for one in cells],
        "starts": [one.period.starts_on for one in cells],
        "ends": [one.period.ends_on for one in cells],
        "occasion": occasion,
        "moment": moment,
        "currency": settings.DEFAULT_CURRENCY,
        "everything": occasion == Occasion.NIGHTLY,
        "by_model": is_published(Subject.DEAL),
        "few": FEW_DEALS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SUPERSEDE, parameters)
        parameters["superseded"] = [row[0] for row in cursor.fetchall()]
        cursor.execute(_TAKE, parameters)
        cursor.execute(_OPEN_DEALS, parameters)
        if found := [(row[0], *astuple(_outlook(*row[1:]))) for row in cursor.fetchall()]:
            cursor.execute(_LOOK_OUT, [list(one) for one in zip(*found, strict=True)])
        cursor.execute(_NEWS, parameters)
        publish(*(_updated(row) for row in cursor.fetchall()), actor=actor)


def _outlook(
    closed: Decimal,
    open_amount: Decimal,
    mean: float,
    variance: float,
    third: float,
    amounts: list[Decimal] | None,
    chances: list[float] | None,
) -> Outlook:
    if amounts is None or chances is None:
        return outlook_of_many(closed, open_amount, Moments(mean, variance, third))
    deals = [Chance(*one) for one in zip(amounts, chances, strict=True)]
    return outlook_of_few(closed, deals)


_shares = msgspec.json.Decoder(tuple[StageShare, ...])


def _updated(row: tuple[Any, ...]) -> ForecastUpdated:
    period, territory_id, category, amount, weighted, breakdown, moment, user_id, *place = row
    currency, node_id = place
    return ForecastUpdated(
        period=period,
        territory_id=territory_id,
        forecast_type=category,
        amount=amount,
        probability_weighted_amount=weighted,
        breakdown=_shares.decode(breakdown),
        generated_at=moment,
        user_id=user_id,
        currency=currency,
        node_id=UUID(str(node_id)),
    )
