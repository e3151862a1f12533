"""What those who lead take a forecast for, beside what was computed and submitted."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.errors import InvalidInput, NotFound
from apps.core.exchange_rates import rate_on
from apps.core.journal import publish
from apps.core.loading import insert_rows
from apps.core.periods import organisation_today
from apps.core.permissions import require
from apps.forecasts.errors import NotAbove, PeriodEnded
from apps.forecasts.events import ForecastAdjusted
from apps.forecasts.models import ForecastAdjustment, ForecastSnapshot, ForecastSubmission
from apps.forecasts.permissions import ADJUST_FORECAST, READ_FORECAST
from apps.forecasts.rules import ForecastType, Node
from apps.forecasts.selectors.nodes import is_above
from apps.forecasts.services.submissions import latest_of


@command
def adjust_forecast(
    *,
    forecast_id: UUID,
    amount: Decimal,
    reason: str,
    actor: Actor,
    forecast_type: str | None = None,
    currency: str | None = None,
) -> ForecastAdjustment:
    """Take a forecast of somebody one leads for another amount; supersedes what was said before.

    Args:
        forecast_id: of a forecast that was computed or submitted, within reach. It is about the
            same person or territory and the same period, whatever is computed next; the period has
            not ended.
        amount: what is to be expected instead, in all.
        reason: why.
        actor: needs `forecast:adjust`, and leads the person or manages the territory.
        forecast_type: one of `ForecastType`; without it what was submitted, or else the commitment.
        currency: without it the forecast's; one that has a rate.

    Raises:
        NotFound, NotAllowed, NotAbove, PeriodEnded, InvalidInput, ExchangeRateMissing.
    """
    require(actor, READ_FORECAST)
    forecast = _within_reach(forecast_id, actor)
    require(actor, ADJUST_FORECAST)
    node = Node(forecast.user_id, forecast.territory_id)
    today = organisation_today()
    if not is_above(actor, node, today=today):
        raise NotAbove
    if forecast.ends_on < today:
        raise PeriodEnded
    if not reason.strip():
        raise InvalidInput.field("reason", "Say why.")
    if currency is not None:
        rate_on(currency, today)
    submitted = forecast.forecast_type if isinstance(forecast, ForecastSubmission) else None
    wanted = forecast_type or submitted or ForecastType.COMMIT.value
    adjustment = ForecastAdjustment(
        user_id=node.user_id,
        territory_id=node.territory_id,
        period=forecast.period,
        starts_on=forecast.starts_on,
        ends_on=forecast.ends_on,
        forecast_type=wanted,
        amount=amount,
        currency=currency or forecast.currency,
        reason=reason.strip(),
        adjusted_by_id=actor.id,
        supersedes_id=latest_of(ForecastAdjustment, node, forecast.period, wanted),
    )
    insert_rows(ForecastAdjustment, [adjustment])
    publish(
        ForecastAdjusted(
            adjustment_id=adjustment.pk,
            supersedes_id=adjustment.supersedes_id,
            period=adjustment.period,
            territory_id=node.territory_id,
            user_id=node.user_id,
            forecast_type=wanted,
            amount=amount,
            currency=adjustment.currency,
            node_id=node.id,
        ),
        actor=actor,
    )
    return adjustment


def _within_reach(forecast_id: UUID, actor: Actor) -> ForecastSnapshot | ForecastSubmission:
    found: ForecastSnapshot | ForecastSubmission | None = (
        ForecastSnapshot.objects.filter(pk=forecast_id).first()
        or ForecastSubmission.objects.filter(pk=forecast_id).first()
    )
    if found is None or not actor.reach.includes(
        owner_id=found.user_id, territory_id=found.territory_id
    ):
        raise NotFound("There is no such forecast.", reason="forecast_not_found")
    return found
