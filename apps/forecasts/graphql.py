"""Forecasts in the GraphQL schema (sales-system-integrations, GraphQL API)."""

from __future__ import annotations

from typing import Any

import graphene

from apps.core.actors import Actor
from apps.core.graphql.commands import Receipt, command
from apps.core.graphql.inputs import given, input_of
from apps.core.graphql.queries import identifier_of
from apps.core.graphql.rows import Row, RowType, one_row
from apps.core.graphql.scalars import enumeration
from apps.forecasts import rules
from apps.forecasts.api.forecasts import (
    NewAdjustment,
    NewForecast,
    adjustment_receipt,
    forecast_receipt,
)
from apps.forecasts.fields import ADJUSTMENTS, SUBMISSIONS
from apps.forecasts.services.adjustments import adjust_forecast
from apps.forecasts.services.submissions import submit_forecast
from apps.territories.graphql import Territory
from apps.users.graphql import User

ForecastType = enumeration(
    rules.ForecastType, "ForecastType", "How sure a person is of what they forecast."
)


class Forecast(RowType):
    """What a territory, or a person, was said to bring in."""

    class Meta:
        listing = SUBMISSIONS
        required = ("period", "forecast_type", "amount", "created_at")
        related = {"territory": Territory, "user": User, "submitted_by": User}
        enums = {"forecast_type": ForecastType}

    current_pipeline = graphene.Float(
        required=True, description="Open deals for it when it was submitted."
    )
    pipeline_coverage = graphene.Float(description="The open deals as a multiple of the amount.")


class ForecastAdjustment(RowType):
    """What somebody who leads takes a forecast for, and why."""

    class Meta:
        listing = ADJUSTMENTS
        required = ("period", "forecast_type", "amount", "reason", "created_at")
        related = {"territory": Territory, "user": User, "adjusted_by": User}
        enums = {"forecast_type": ForecastType}


def _submit(actor: Actor, input: dict[str, Any]) -> Receipt:  # noqa: A002
    """Submit a forecast."""
    return forecast_receipt(submit_forecast(**given(NewForecast, input), actor=actor))


def _shown(actor: Actor, receipt: Receipt, **_: Any) -> Row:
    return one_row(SUBMISSIONS, actor, receipt)


def _adjust(actor: Actor, forecast_id: str, input: dict[str, Any]) -> Receipt:  # noqa: A002
    """Adjust the forecast of somebody you lead, or of a territory you manage."""
    facts = given(NewAdjustment, input)
    adjusted = adjust_forecast(
        forecast_id=identifier_of("forecastId", forecast_id), **facts, actor=actor
    )
    return adjustment_receipt(adjusted)


def _adjusted(actor: Actor, receipt: Receipt, **_: Any) -> Row:
    return one_row(ADJUSTMENTS, actor, receipt)


class Mutation(graphene.ObjectType):
    """What can happen to forecasts."""

    class Meta:
        abstract = True

    create_forecast = command(
        Forecast,
        _submit,
        show=_shown,
        input=input_of(NewForecast, "CreateForecastInput", enums={"forecast_type": ForecastType})(
            required=True
        ),
    )
    adjust_forecast = command(
        ForecastAdjustment,
        _adjust,
        show=_adjusted,
        forecast_id=graphene.ID(required=True),
        input=input_of(NewAdjustment, "AdjustForecastInput", enums={"forecast_type": ForecastType})(
            required=True
        ),
    )
