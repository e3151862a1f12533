"""What people and territories close at the speed so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from apps.core.money import ZERO
from apps.core.periods import Period
from apps.forecasts.rules import BLOCK_DAYS, LOOKED_BACK, MOST_BLOCKS, Line, RunRate, run_rate

_ONE_DAY = timedelta(days=1)


@dataclass
class Closings:
    """What was closed in one currency until the end of a day, by blocks of days back from there;
    `brought` is the part of it within the period."""

    first: date = date.max
    brought: Decimal = ZERO
    blocks: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def add(self, block: int, first: date, brought: Decimal, amount: Decimal) -> None:
        """Count in what was closed in a block, on `first` for the first time."""
        self.first = min(self.first, first)
        self.brought += brought
        self.blocks[block] += amount

    def run_rate(self, period: Period, day: date) -> RunRate | None:
        """What the period comes to, seen from the end of a day."""
        known = min(((day - self.first).days + 1) // BLOCK_DAYS, MOST_BLOCKS)
        behind = max(day, period.starts_on - _ONE_DAY)
        blocks = [self.blocks.get(block, ZERO) for block in range(known)]
        return run_rate(self.brought, blocks, (period.ends_on - behind).days)


_BLOCKS = """
{of}, floor((d.day - f.counts_on) / %(block)s::float8)::int AS block,
min(f.counts_on) AS first,
coalesce(sum(f.amount) FILTER (WHERE f.counts_on BETWEEN %(starts_on)s AND %(ends_on)s), 0.00)
    AS brought, sum(f.amount) AS amount
"""
_NOW = f"""
SELECT {_BLOCKS.format(of="f.currency")}
FROM forecasts_forecastfact f, (SELECT %(day)s::date AS day) AS d
WHERE f.{{node}} = ANY(%(nodes)s::uuid[]) AND f.ended_at IS NULL AND f.category = 'closed'
  AND f.counts_on BETWEEN %(first)s AND %(day)s + 1
GROUP BY f.currency, block
"""
# One look at all that was closed, for whoever closed it and where.
_THEN = f"""
WITH closed AS MATERIALIZED (
    SELECT {_BLOCKS.format(of="d.day, f.owner_id, f.territory_id, f.currency")}
    FROM unnest(%(days)s::date[], %(moments)s::timestamptz[]) AS d(day, moment)
    JOIN forecasts_forecastfact f
      ON f.category = 'closed' AND f.counts_on BETWEEN d.day - %(looked_back)s AND d.day
     AND f.began_at < d.moment AND (f.ended_at IS NULL OR f.ended_at >= d.moment)
    GROUP BY d.day, f.owner_id, f.territory_id, f.currency, block
)
SELECT coalesce(owner_id, territory_id), day, currency, block, min(first), sum(brought), sum(amount)
FROM closed
GROUP BY GROUPING SETS ((owner_id, day, currency, block), (territory_id, day, currency, block))
"""


def run_rates(
    nodes: Sequence[UUID], line: Line, *, period: Period, today: date
) -> dict[str, RunRate]:
    """What people or territories together bring in a period at the speed so far, by currency;
    nothing in one in which they closed nothing until 60 days ago.

    Today lies ahead until it is over; what was closed on it counts all the same.
    """
    day = today - _ONE_DAY
    parameters = {
        **_of_period(period),
        "nodes": list(nodes),
        "day": day,
        "first": min(period.starts_on, day - LOOKED_BACK + _ONE_DAY),
    }
    node = "territory_id" if line == Line.TERRITORY else "owner_id"
    found: dict[str, Closings] = defaultdict(Closings)
    with connection.cursor() as cursor:
        cursor.execute(_NOW.format(node=node), parameters)
        for currency, *closed in cursor.fetchall():
            found[currency].add(*closed)
    rates = {currency: closed.run_rate(period, day) for currency, closed in found.items()}
    return {currency: rate for currency, rate in rates.items() if rate is not None}


def run_rates_then(
    above: Mapping[UUID, UUID | None], *, period: Period, moments: Mapping[date, datetime]
) -> dict[tuple[UUID, date, str], RunRate]:
    """What nodes with everybody below them would have been said to bring in a period, at the speed
    of the time, by what was known then.

    Args:
        above: for each node the one above it; None at the top.
        period: in which.
        moments: by the days from which it is seen, when these were over.
    """
    looked_back = max(LOOKED_BACK, period.ends_on - period.starts_on + _ONE_DAY)
    parameters = {
        **_of_period(period),
        "days": list(moments),
        "moments": list(moments.values()),
        "looked_back": looked_back.days - 1,
    }
    found: dict[tuple[UUID, date, str], Closings] = defaultdict(Closings)
    with connection.cursor() as cursor:
        cursor.execute(_THEN, parameters)
        for seller, day, currency, *closed in cursor.fetchall():
            node: UUID | None = seller
            while node is not None:
                found[node, day, currency].add(*closed)
                node = above.get(node)
    rates = {key: closed.run_rate(period, key[1]) for key, closed in found.items()}
    return {key: rate for key, rate in rates.items() if rate is not None}


def _of_period(period: Period) -> dict[str, Any]:
    return {"block": BLOCK_DAYS, "starts_on": period.starts_on, "ends_on": period.ends_on}
