"""How good forecasts were: what was said and computed before a period ended, beside what came."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from apps.core.actors import Actor
from apps.core.periods import Period, organisation_day
from apps.core.permissions import require
from apps.forecasts.permissions import COMPUTE_FORECAST
from apps.forecasts.rules import HORIZONS, ForecastType, said_by_branch
from apps.forecasts.selectors.nodes import period_named
from apps.forecasts.selectors.run_rates import run_rates_then

# So long after its end a period is measured anew each night: deals are closed late, and reopened.
SETTLES_WITHIN = timedelta(days=45)

_ENDED = """
SELECT DISTINCT s.period FROM forecasts_forecastsnapshot s
WHERE s.is_current AND s.ends_on < %(today)s
  AND (s.ends_on >= %(settled)s
       OR NOT EXISTS (SELECT FROM forecasts_forecastaccuracy a WHERE a.period = s.period))
ORDER BY s.period
"""
# Every node that was forecast or spoken of for a period, and everybody above it.
_LINES = """
WITH RECURSIVE line(id) AS (
    SELECT s.node_id FROM forecasts_forecastsnapshot s WHERE s.period = %(period)s AND s.is_current
    UNION
    SELECT s.node_id FROM forecasts_forecastsubmission s WHERE s.period = %(period)s
    UNION
    SELECT above.id FROM line CROSS JOIN LATERAL (
        SELECT u.manager_id AS id FROM users_user u WHERE u.id = line.id
        UNION ALL
        SELECT t.parent_territory_id FROM territories_territory t WHERE t.id = line.id
    ) AS above WHERE above.id IS NOT NULL
)
SELECT line.id, coalesce(u.manager_id, t.parent_territory_id)
FROM line LEFT JOIN users_user u ON u.id = line.id
LEFT JOIN territories_territory t ON t.id = line.id
"""
_SUBMITTED = """
SELECT DISTINCT ON (h.days, s.node_id) h.days, s.node_id, s.currency, s.amount
FROM unnest(%(days)s::int[], %(moments)s::timestamptz[]) AS h(days, moment)
JOIN forecasts_forecastsubmission s
  ON s.period = %(period)s AND s.forecast_type = %(commit)s AND s.created_at < h.moment
ORDER BY h.days, s.node_id, s.created_at DESC, s.id DESC
"""
_MEASURE = """
WITH branch AS (
    SELECT * FROM unnest(%(nodes)s::uuid[], %(branches)s::uuid[]) AS b(node_id, id)
), computed AS (
    SELECT b.id, h.days, coalesce(l.currency, s.currency) AS currency,
           sum(coalesce(l.weighted_amount, 0)) AS weighted_amount,
           CASE WHEN bool_and(s.model_weighted_amount IS NOT NULL)
                THEN sum(coalesce(l.model_weighted_amount, 0)) END AS model_weighted_amount
    FROM branch b
    CROSS JOIN unnest(%(days)s::int[], %(moments)s::timestamptz[]) AS h(days, moment)
    CROSS JOIN LATERAL (
        SELECT s.id, s.currency, s.model_weighted_amount FROM forecasts_forecastsnapshot s
        WHERE s.node_id = b.node_id AND s.period = %(period)s AND s.taken_at < h.moment
        ORDER BY s.taken_at DESC LIMIT 1
    ) AS s
    LEFT JOIN forecasts_forecastline l ON l.snapshot_id = s.id
    GROUP BY 1, 2, 3
), submitted AS (
    SELECT * FROM unnest(%(said_of)s::uuid[], %(said_days)s::int[], %(said_in)s::text[],
                         %(said)s::numeric[]) AS s(id, days, currency, amount)
), run_rate AS (
    SELECT * FROM unnest(%(rate_of)s::uuid[], %(rate_days)s::int[], %(rate_in)s::text[],
                         %(rate)s::numeric[]) AS p(id, days, currency, amount)
), actual AS (
    SELECT b.id, l.currency, sum(l.amount) AS amount
    FROM branch b
    JOIN forecasts_forecastsnapshot s
      ON s.node_id = b.node_id AND s.period = %(period)s AND s.is_current
    JOIN forecasts_forecastline l ON l.snapshot_id = s.id AND l.category = 'closed'
    GROUP BY 1, 2
)
INSERT INTO forecasts_forecastaccuracy AS a
    (id, user_id, territory_id, period, starts_on, ends_on, period_kind, days_before, currency,
     submitted_amount, weighted_amount, model_weighted_amount, run_rate_amount, actual_amount,
     measured_at)
SELECT uuidv7(), u.id, t.id, %(period)s, %(starts_on)s, %(ends_on)s, %(kind)s, days, currency,
       s.amount, c.weighted_amount, c.model_weighted_amount, p.amount, coalesce(r.amount, 0),
       %(now)s
FROM computed c FULL JOIN submitted s USING (id, days, currency)
LEFT JOIN run_rate p USING (id, days, currency)
LEFT JOIN actual r USING (id, currency)
LEFT JOIN users_user u USING (id) LEFT JOIN territories_territory t USING (id)
ON CONFLICT (node_id, period, days_before, currency) DO UPDATE
SET submitted_amount = excluded.submitted_amount, weighted_amount = excluded.weighted_amount,
    model_weighted_amount = excluded.model_weighted_amount,
    run_rate_amount = excluded.run_rate_amount,
    actual_amount = excluded.actual_amount, measured_at = excluded.measured_at
"""


def measure_accuracy(*, now: datetime, actor: Actor) -> int:
    """Note, of every period that ended, what was forecast for it and what it came to.

    Inside the caller's transaction. Periods that ended lately are measured anew: deals are closed
    late, and reopened. Returns how many figures were noted. Raises NotAllowed.
    """
    require(actor, COMPUTE_FORECAST)
    today = organisation_day(now)
    with connection.cursor() as cursor:
        cursor.execute(_ENDED, {"today": today, "settled": today - SETTLES_WITHIN})
        periods = [period_named(row[0]) for row in cursor.fetchall()]
    return sum(_measure(one, now) for one in periods)


def _measure(period: Period, now: datetime) -> int:
    days = [period.ends_on - timedelta(days=ahead) for ahead in HORIZONS]
    moments = {day: _end_of(day) for day in days}
    parameters: dict[str, Any] = {
        "period": period.key,
        "starts_on": period.starts_on,
        "ends_on": period.ends_on,
        "kind": period.kind,
        "commit": ForecastType.COMMIT,
        "days": list(HORIZONS),
        "moments": list(moments.values()),
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LINES, parameters)
        above: dict[UUID, UUID | None] = dict(cursor.fetchall())
        pairs = [(node, branch) for node in above for branch in _line_of(node, above)]
        parameters["nodes"], parameters["branches"] = map(list, zip(*pairs, strict=True))
        cursor.execute(_SUBMITTED, parameters)
        parameters |= _said(cursor.fetchall(), above)
        rates = run_rates_then(above, period=period, moments=moments)
        parameters |= _columns(
            ("rate_of", "rate_days", "rate_in", "rate"),
            [
                (node, (period.ends_on - day).days, currency, rate.amount)
                for (node, day, currency), rate in rates.items()
            ],
        )
        cursor.execute(_MEASURE, parameters)
        count: int = cursor.rowcount
        return count


def _line_of(node: UUID, above: dict[UUID, UUID | None]) -> list[UUID]:
    """A node and everybody above it."""
    line = [node]
    while (over := above.get(line[-1])) is not None:
        line.append(over)
    return line


def _said(
    rows: list[tuple[int, UUID, str, Decimal]], above: dict[UUID, UUID | None]
) -> dict[str, list[Any]]:
    """What was submitted of each branch at each horizon, as columns."""
    found = []
    for days in HORIZONS:
        said = {node: (currency, amount) for when, node, currency, amount in rows if when == days}
        told = said_by_branch(said, above)
        found += [(node, days, currency, amount) for (node, currency), amount in told.items()]
    return _columns(("said_of", "said_days", "said_in", "said"), found)


def _columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Rows as a list for each of their columns."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return {name: list(column) for name, column in zip(names, columns, strict=True)}


def _end_of(day: date) -> datetime:
    """The moment at which a day is over where the organisation is."""
    zone = ZoneInfo(settings.ORGANISATION_TIME_ZONE)
    return datetime.combine(day + timedelta(days=1), time(), zone)
