"""What people say that they, or a territory, will bring in."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.errors import InvalidInput
from apps.core.exchange_rates import rate_on
from apps.core.journal import publish
from apps.core.loading import insert_rows
from apps.core.periods import organisation_today
from apps.core.permissions import require
from apps.forecasts.errors import PeriodEnded
from apps.forecasts.events import ForecastSubmitted
from apps.forecasts.models import ForecastSubmission, Judgement
from apps.forecasts.permissions import SUBMIT_FORECAST
from apps.forecasts.rules import Node, coverage
from apps.forecasts.selectors.nodes import current_pipeline, period_named
from apps.territories.selectors import check_active_territory
from apps.users.models import User


@dataclass(frozen=True)
class Submitted:
    """A submission, beside what is in the pipeline for it right now."""

    submission: ForecastSubmission
    current_pipeline: Decimal

    @property
    def pipeline_coverage(self) -> Decimal | None:
        """How many times over the pipeline covers the amount; None for an amount of nothing."""
        return coverage(self.current_pipeline, self.submission.amount)


@command
def submit_forecast(
    *,
    period: str,
    forecast_type: str,
    amount: Decimal,
    actor: Actor,
    territory_id: UUID | None = None,
    user_id: UUID | None = None,
    currency: str | None = None,
    notes: str = "",
) -> Submitted:
    """Say what a territory or a person will bring in; supersedes what was said before.

    Args:
        period: `Q1_2026`, `M03_2026` or `FY_2026`; one that has not ended.
        forecast_type: one of `ForecastType`.
        amount: what is expected, in all.
        actor: needs `forecast:submit`.
        territory_id: within reach; or else
        user_id: a person within reach.
        currency: without it the organisation's; one that has a rate.
        notes: why.

    Raises:
        NotAllowed, InvalidInput, TerritoryInactive, PeriodEnded, ExchangeRateMissing
        (sales-system-integrations, Create Forecast).
    """
    require(actor, SUBMIT_FORECAST)
    node = _node_within_reach(territory_id, user_id, actor)
    wanted = period_named(period)
    if wanted.ends_on < organisation_today():
        raise PeriodEnded(fields={"period": [f"{wanted} has ended."]})
    currency = currency or settings.DEFAULT_CURRENCY
    rate_on(currency, organisation_today())
    previous = latest_of(ForecastSubmission, node, wanted.key, forecast_type)
    submission = ForecastSubmission(
        user_id=node.user_id,
        territory_id=node.territory_id,
        period=wanted.key,
        starts_on=wanted.starts_on,
        ends_on=wanted.ends_on,
        forecast_type=forecast_type,
        amount=amount,
        currency=currency,
        notes=notes,
        submitted_by_id=actor.id,
        supersedes_id=previous,
    )
    insert_rows(ForecastSubmission, [submission])
    publish(
        ForecastSubmitted(
            submission_id=submission.pk,
            supersedes_id=submission.supersedes_id,
            period=submission.period,
            territory_id=node.territory_id,
            user_id=node.user_id,
            forecast_type=forecast_type,
            amount=amount,
            currency=currency,
            node_id=node.id,
        ),
        actor=actor,
    )
    pipeline = current_pipeline(node=node, period=wanted, currency=currency)
    return Submitted(submission, pipeline)


def _node_within_reach(territory_id: UUID | None, user_id: UUID | None, actor: Actor) -> Node:
    if (territory_id is None) == (user_id is None):
        raise InvalidInput.field("territory_id", "Give either a territory_id or a user_id.")
    if territory_id is not None:
        check_active_territory(territory_id, actor)
        return Node(territory_id=territory_id)
    is_seen = actor.reach.includes(owner_id=user_id, territory_id=None)
    if not is_seen or not User.objects.active().filter(pk=user_id).exists():
        raise InvalidInput.field("user_id", "There is no such person.")
    return Node(user_id=user_id)


def latest_of(kind: type[Judgement], node: Node, period: str, forecast_type: str) -> UUID | None:
    """What was said last; nobody else says anything about the same until the transaction ends."""
    take_turn(f"{kind.__name__} {node.id} {period} {forecast_type}")
    rows: Any = kind._default_manager
    said = rows.filter(node_id=node.id, period=period, forecast_type=forecast_type)
    return said.filter(superseded_by=None).values_list("pk", flat=True).first()
