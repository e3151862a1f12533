"""What forecasts add to the start page."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.start_page import Chart, Empty, Figure, Panel, Series, kept, panel
from apps.core.periods import PeriodKind, organisation_day, period_containing
from apps.forecasts.admin.reach import nodes_within
from apps.forecasts.models import ForecastSnapshot
from apps.forecasts.permissions import READ_FORECAST

SHOWN = 8


@panel(order=30, needs=READ_FORECAST)
def forecast_against_closed(actor: Actor) -> Panel:
    """What is forecast for the current quarter against what is closed, by person."""
    found = kept("forecast", actor, lambda: _quarter(actor))
    people, currency, period = found["people"], settings.DEFAULT_CURRENCY, found["period"]
    closed = sum(one["closed"] for one in people)
    expected = sum(one["forecast"] for one in people)
    return Panel(
        title="Forecast and closed",
        note=f"{period}, by person",
        address=show.list_of(ForecastSnapshot, period=period),
        figures=[
            Figure(
                f"Closed in {period}",
                show.short_money(closed, currency),
                note=f"of {show.short_money(expected, currency)} forecast",
                address=show.list_of(ForecastSnapshot, period=period),
            )
        ],
        empty=None if people else Empty("No forecast was computed for this quarter yet."),
        chart=Chart(
            title=f"Forecast and closed in {period} by person, in {currency}",
            labels=[one["name"] for one in people[:SHOWN]],
            series=[
                Series(
                    "Forecast",
                    [one["forecast"] for one in people[:SHOWN]],
                    "var(--color-primary-300)",
                ),
                Series(
                    "Closed", [one["closed"] for one in people[:SHOWN]], "oklch(62.7% .17 149.214)"
                ),
            ],
            headers=("Person", f"Forecast {currency}", f"Closed {currency}"),
            rows=[
                (one["name"], show.plain_money(one["forecast"]), show.plain_money(one["closed"]))
                for one in people[:SHOWN]
            ],
            horizontal=True,
        ),
    )


def _quarter(actor: Actor) -> dict[str, Any]:
    quarter = period_containing(
        organisation_day(timezone.now()),
        PeriodKind.QUARTER,
        start_month=settings.FISCAL_YEAR_START_MONTH,
    )
    current = ForecastSnapshot.objects.filter(
        is_current=True, period=quarter.key, currency=settings.DEFAULT_CURRENCY
    ).exclude(user=None)
    rows = (
        nodes_within(current, actor)
        .filter(Q(weighted_amount__gt=0) | Q(closed_amount__gt=0))
        .order_by("-weighted_amount", "-id")
        .values_list("user__name", "weighted_amount", "closed_amount")[:500]
    )
    return {
        "period": quarter.key,
        "people": [
            {"name": name, "forecast": float(weighted), "closed": float(closed)}
            for name, weighted, closed in rows
        ],
    }
