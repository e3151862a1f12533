"""Forecasts in the GraphQL schema (sales-system-integrations, GraphQL API)."""

from __future__ import annotations

from typing import Any

import graphene

from apps.core.actors import Actor
from apps.core.graphql.commands import Receipt, command
from apps.core.graphql.inputs import given, input_of
from apps.core.graphql.rows import Row, RowType, one_row
from apps.core.graphql.scalars import enumeration
from apps.forecasts import rules
from apps.forecasts.api.forecasts import NewForecast, forecast_receipt
from apps.forecasts.fields import SUBMISSIONS
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


def _submit(actor: Actor, input: dict[str, Any]) -> Receipt:  # noqa: A002
    """Submit a forecast."""
    return forecast_receipt(submit_forecast(**given(NewForecast, input), actor=actor))


def _shown(actor: Actor, receipt: Receipt, **_: Any) -> Row:
    return one_row(SUBMISSIONS, actor, receipt)


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
