"""Answers about forecasts: for whom and when they are made, and what is in the pipeline."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from apps.core.actors import Actor
from apps.core.money import ZERO
from apps.core.periods import Period, PeriodKind, organisation_day, parse_period
from apps.core.permissions import ADMIN, SALES_MANAGER, SALES_REP
from apps.forecasts.models import ForecastSnapshot
from apps.forecasts.rules import Node, open_periods
from apps.opportunities.rules import Category

_WHO_SELLS = (ADMIN, SALES_MANAGER, SALES_REP)


def period_named(key: str, *, kinds: Collection[PeriodKind] = tuple(PeriodKind)) -> Period:
    """The period a key names in the organisation's fiscal year. Raises InvalidInput."""
    return parse_period(key, start_month=settings.FISCAL_YEAR_START_MONTH, kinds=kinds)


def periods_open_at(now: datetime) -> tuple[Period, ...]:
    """The periods that are forecast every night."""
    return open_periods(organisation_day(now), start_month=settings.FISCAL_YEAR_START_MONTH)


# Everybody who sells and every active territory; whoever else has deals that count, or had some
# when a forecast of these periods was last computed.
_NODES = """
SELECT u.id, NULL::uuid FROM users_user u
WHERE u.is_active AND u.role = ANY(%(roles)s)
   OR EXISTS (SELECT FROM forecasts_forecastfact f
              WHERE f.owner_id = u.id AND f.ended_at IS NULL)
   OR EXISTS (SELECT FROM forecasts_forecastsnapshot s
              WHERE s.node_id = u.id AND s.period = ANY(%(periods)s) AND s.is_current)
UNION ALL
SELECT NULL::uuid, t.id FROM territories_territory t
WHERE t.is_active
   OR EXISTS (SELECT FROM forecasts_forecastfact f
              WHERE f.territory_id = t.id AND f.ended_at IS NULL)
   OR EXISTS (SELECT FROM forecasts_forecastsnapshot s
              WHERE s.node_id = t.id AND s.period = ANY(%(periods)s) AND s.is_current)
"""


def nodes_to_forecast(periods: Sequence[Period]) -> list[Node]:
    """Everybody and every territory that a forecast for these periods is made for."""
    with connection.cursor() as cursor:
        cursor.execute(_NODES, {"roles": list(_WHO_SELLS), "periods": [one.key for one in periods]})
        return [Node(user_id, territory_id) for user_id, territory_id in cursor.fetchall()]


def periods_forecast_for(node_ids: Collection[UUID]) -> list[tuple[Node, Period]]:
    """The periods for which nodes have a forecast."""
    found = ForecastSnapshot.objects.filter(node_id__any=list(node_ids), is_current=True)
    return [
        (
            Node(one.user_id, one.territory_id),
            replace(period_named(one.period), starts_on=one.starts_on, ends_on=one.ends_on),
        )
        for one in found.only("user_id", "territory_id", "period", "starts_on", "ends_on")
    ]


# Whoever owns a territory or one above it manages it, and so do its managers of today.
_LEADS = """
WITH line AS (SELECT unnest(quotas_above(ARRAY[%(node)s::uuid])) AS id), head(id) AS (
    SELECT id FROM line WHERE %(is_person)s AND id <> %(node)s
    UNION ALL
    SELECT t.owner_id FROM territories_territory t JOIN line ON line.id = t.id
    UNION ALL
    SELECT m.user_id FROM territories_territorymember m JOIN line ON line.id = m.territory_id
    WHERE m.role = 'manager' AND m.valid_from <= %(today)s
      AND (m.valid_until IS NULL OR m.valid_until >= %(today)s)
)
SELECT coalesce(%(actor)s = ANY(quotas_above(ARRAY(SELECT id FROM head))), FALSE)
"""


def is_above(actor: Actor, node: Node, *, today: date) -> bool:
    """Whether somebody leads a person, or manages a territory or leads who does.

    An administrator stands above everybody else.
    """
    if actor.role == ADMIN or actor.is_system:
        return actor.id != node.id
    parameters: dict[str, Any] = {
        "node": node.id,
        "is_person": node.user_id is not None,
        "actor": actor.id,
        "today": today,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LEADS, parameters)
        (found,) = cursor.fetchone()
    return bool(found)


def current_pipeline(*, node: Node, period: Period, currency: str) -> Decimal:
    """What a node's open deals that are expected to close in a period are worth right now.

    Deals in other currencies and those omitted from forecasts are left out.
    """
    column = "territory_id" if node.territory_id else "owner_id"
    with connection.cursor() as cursor:
        cursor.execute(
            _PIPELINE.format(column=column),
            [node.id, period.starts_on, period.ends_on, currency, Category.OMITTED],
        )
        (total,) = cursor.fetchone()
    return ZERO if total is None else total


_PIPELINE = """
SELECT sum(amount) FROM opportunities_opportunity
WHERE {column} = %s AND deleted_at IS NULL AND kind = 'open'
  AND expected_close_date BETWEEN %s AND %s AND currency = %s AND forecast_category <> %s
"""
