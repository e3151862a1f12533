"""What changed in a forecast between two moments, from the facts that ended and began."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from apps.core.actors import Actor
from apps.core.errors import InvalidInput, NotFound
from apps.core.money import ZERO
from apps.core.periods import Period
from apps.core.permissions import require
from apps.core.rows.scope import OwnedScope
from apps.forecasts.permissions import READ_FORECAST
from apps.forecasts.rules import Movement, Node, Standing, movement
from apps.opportunities.permissions import READ_OPPORTUNITY


@dataclass(frozen=True)
class Sums:
    """What deals come to: how many, open, closed, and the forecast (closed, and open weighted).

    Of a change the amounts say what it added.
    """

    count: int = 0
    open_amount: Decimal = ZERO
    closed_amount: Decimal = ZERO
    weighted_amount: Decimal = ZERO

    def __add__(self, other: Sums) -> Sums:
        pairs = ((getattr(self, one.name), getattr(other, one.name)) for one in fields(self))
        return Sums(*(mine + others for mine, others in pairs))


@dataclass(frozen=True)
class Waterfall:
    """How a forecast went from one moment to another, in one currency.

    What stood at first and all changes come to what stands at last.
    """

    currency: str
    opening: Sums
    closing: Sums
    changes: dict[Movement, Sums]


@dataclass(frozen=True)
class Change:
    """What a deal added to a forecast, or took from it, and how it counted before and after, as
    JSON."""

    opportunity_id: UUID
    name: str
    currency: str
    movement: str
    amounts: Sums
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Span:
    """Between which moments a forecast is compared: of a person with everybody who reports to
    them, or of a territory with those below it, by today's lines."""

    node: Node
    period: Period
    first: datetime
    last: datetime


def span_asked_for(
    *,
    actor: Actor,
    period: Period,
    first: datetime,
    last: datetime,
    user_id: UUID | None = None,
    territory_id: UUID | None = None,
) -> Span:
    """What an actor may compare. Raises NotAllowed, InvalidInput, NotFound."""
    require(actor, READ_FORECAST)
    if (user_id is None) == (territory_id is None):
        raise InvalidInput.field("user_id", "Give either a user_id or a territory_id.")
    if first > last:
        raise InvalidInput.field("to", "Give a moment after `from`.")
    if not actor.reach.includes(owner_id=user_id, territory_id=territory_id):
        raise NotFound
    return Span(node=Node(user_id, territory_id), period=period, first=first, last=last)


_IS_HERE = """
f.{node} = ANY(%(holders)s) AND f.counts_on BETWEEN %(starts_on)s AND %(ends_on)s
"""
_ENDS = """
SELECT m.place, f.currency, count(*)::int,
       coalesce(sum(f.amount) FILTER (WHERE f.category <> 'closed'), 0.00),
       coalesce(sum(f.amount) FILTER (WHERE f.category = 'closed'), 0.00),
       sum(f.weighted_amount)
FROM (VALUES ('opening', %(first)s), ('closing', %(last)s)) AS m(place, moment)
JOIN forecasts_forecastfact f ON {is_here}
 AND f.began_at <= m.moment AND (f.ended_at IS NULL OR f.ended_at > m.moment)
GROUP BY m.place, f.currency
"""
# How a deal counted at a moment; the amounts are those that the forecast was made of.
_AT = """
LATERAL (
    SELECT w.*, w.standing IN ('open', 'closed') AS is_here,
           CASE w.standing WHEN 'open' THEN w.amount ELSE 0 END AS open_amount,
           CASE w.standing WHEN 'closed' THEN w.amount ELSE 0 END AS closed_amount,
           CASE WHEN w.standing IN ('open', 'closed') THEN w.weighted ELSE 0 END AS weighted_amount
    FROM (
        SELECT f.currency, f.stage, f.amount, f.probability, f.counts_on,
               f.weighted_amount AS weighted,
               CASE WHEN f.id IS NULL THEN 'absent'
                    WHEN f.ended_at <= {moment} THEN f.left_as
                    WHEN NOT coalesce(f.{node} = ANY(%(holders)s), FALSE) THEN 'elsewhere'
                    ELSE CASE f.category WHEN 'closed' THEN 'closed' ELSE 'open' END
                         || CASE WHEN f.counts_on BETWEEN %(starts_on)s AND %(ends_on)s
                                 THEN '' ELSE '_elsewhen' END
               END AS standing
        FROM (SELECT) AS one LEFT JOIN LATERAL (
            SELECT k.* FROM forecasts_forecastfact k
            WHERE k.opportunity_id = c.opportunity_id AND k.began_at <= {moment}
            ORDER BY k.began_at DESC, k.ended_at DESC LIMIT 1
        ) AS f ON TRUE
    ) AS w
)
"""
# A fact that counts all the while changes nothing. What changes its currency leaves one waterfall
# and enters another.
_CHANGES = """
WITH candidate AS (
    SELECT DISTINCT f.opportunity_id FROM forecasts_forecastfact f
    WHERE {is_here} AND f.began_at <= %(last)s
      AND (f.ended_at > %(first)s OR f.ended_at IS NULL AND f.began_at > %(first)s)
), change AS (
    SELECT c.opportunity_id, e.currency,
           CASE WHEN b.is_here AND a.is_here AND b.currency <> a.currency THEN 'currency'
                ELSE coalesce(m.movement, CASE
                     WHEN a.standing <> b.standing OR NOT a.is_here THEN NULL
                     WHEN a.amount > b.amount THEN 'up' WHEN a.amount < b.amount THEN 'down'
                     WHEN a.weighted <> b.weighted THEN 'reweighted' END)
           END AS movement,
           e.open_amount, e.closed_amount, e.weighted_amount,
           jsonb_build_object('standing', b.standing, 'stage', b.stage, 'amount', b.amount,
               'probability', b.probability, 'counts_on', b.counts_on) AS before,
           jsonb_build_object('standing', a.standing, 'stage', a.stage, 'amount', a.amount,
               'probability', a.probability, 'counts_on', a.counts_on) AS after
    FROM candidate c
    CROSS JOIN {before} AS b
    CROSS JOIN {after} AS a
    LEFT JOIN unnest(%(befores)s::text[], %(afters)s::text[], %(movements)s::text[])
         AS m(before, after, movement) ON m.before = b.standing AND m.after = a.standing
    CROSS JOIN LATERAL (
        SELECT v.currency, sum(v.open_amount) AS open_amount,
               sum(v.closed_amount) AS closed_amount, sum(v.weighted_amount) AS weighted_amount
        FROM (VALUES
            (b.is_here, b.currency, -b.open_amount, -b.closed_amount, -b.weighted_amount),
            (a.is_here, a.currency, a.open_amount, a.closed_amount, a.weighted_amount)
        ) AS v(is_here, currency, open_amount, closed_amount, weighted_amount)
        WHERE v.is_here GROUP BY v.currency
    ) AS e
)
"""
_ADDED_UP = """
SELECT currency, movement, count(*)::int, sum(open_amount), sum(closed_amount),
       sum(weighted_amount)
FROM change WHERE movement IS NOT NULL GROUP BY currency, movement
"""
_DEALS = """
SELECT o.id, o.name, h.currency, h.movement, 1, h.open_amount, h.closed_amount,
       h.weighted_amount, h.before, h.after
FROM change h JOIN opportunities_opportunity o ON o.id = h.opportunity_id
WHERE h.movement IS NOT NULL AND o.deleted_at IS NULL AND {reach}
  AND (%(movement)s::text IS NULL OR h.movement = %(movement)s)
  AND (%(currency)s::text IS NULL OR h.currency = %(currency)s)
ORDER BY abs(h.weighted_amount) DESC, abs(h.open_amount) DESC, o.id, h.currency
LIMIT %(limit)s OFFSET %(offset)s
"""
_PAIRS = [(a, b, found) for a in Standing for b in Standing if (found := movement(a, b))]


def _question(span: Span) -> tuple[dict[str, str], dict[str, Any]]:
    """The parts of the statements that depend on whose forecast it is, and their parameters."""
    node = "territory_id" if span.node.territory_id else "owner_id"
    befores, afters, movements = zip(*_PAIRS, strict=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT quotas_below(%s)", [span.node.id])
        (holders,) = cursor.fetchone()
    parts = {
        "is_here": _IS_HERE.format(node=node),
        "before": _AT.format(node=node, moment="%(first)s"),
        "after": _AT.format(node=node, moment="%(last)s"),
    }
    return parts, {
        "holders": holders,
        "starts_on": span.period.starts_on,
        "ends_on": span.period.ends_on,
        "first": span.first,
        "last": span.last,
        "befores": list(befores),
        "afters": list(afters),
        "movements": list(movements),
    }


def waterfalls(span: Span) -> list[Waterfall]:
    """What changed, by currency and why."""
    parts, parameters = _question(span)
    ends: dict[str, dict[str, Sums]] = defaultdict(dict)
    changes: dict[str, dict[str, Sums]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_ENDS.format(**parts), parameters)
        for place, currency, *sums in cursor.fetchall():
            ends[currency][place] = Sums(*sums)
        cursor.execute(_CHANGES.format(**parts) + _ADDED_UP, parameters)
        for currency, moved, *sums in cursor.fetchall():
            changes[currency][moved] = Sums(*sums)
    return [
        Waterfall(
            currency,
            opening=ends[currency].get("opening", Sums()),
            closing=ends[currency].get("closing", Sums()),
            changes={one: found for one in Movement if (found := changes[currency].get(one))},
        )
        for currency in sorted({*ends, *changes})
    ]


def changed_deals(
    span: Span,
    *,
    actor: Actor,
    limit: int,
    offset: int = 0,
    movement: str | None = None,
    currency: str | None = None,
) -> list[Change]:
    """The deals within reach behind a waterfall, those that moved the forecast most first.

    Raises NotAllowed.
    """
    require(actor, READ_OPPORTUNITY)
    parts, parameters = _question(span)
    within, named = OwnedScope(row="o").condition(actor).named()
    parameters |= {"movement": movement, "currency": currency, "limit": limit, "offset": offset}
    with connection.cursor() as cursor:
        cursor.execute(
            _CHANGES.format(**parts) + _DEALS.format(reach=within), {**parameters, **named}
        )
        return [_change(*row) for row in cursor.fetchall()]


def _change(opportunity_id: UUID, name: str, currency: str, moved: str, *rest: Any) -> Change:
    *sums, before, after = rest
    return Change(opportunity_id, name, currency, moved, Sums(*sums), before, after)
