"""Answers about forecasts: for whom and when they are made, and what is in the pipeline."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import connection

from apps.core.money import ZERO
from apps.core.periods import Period, organisation_day, parse_period
from apps.core.permissions import ADMIN, SALES_MANAGER, SALES_REP
from apps.forecasts.models import ForecastSnapshot
from apps.forecasts.rules import Node, open_periods
from apps.opportunities.rules import Category

_WHO_SELLS = (ADMIN, SALES_MANAGER, SALES_REP)


def period_named(key: str) -> Period:
    """The period a key names in the organisation's fiscal year. Raises InvalidInput."""
    return parse_period(key, start_month=settings.FISCAL_YEAR_START_MONTH)


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
