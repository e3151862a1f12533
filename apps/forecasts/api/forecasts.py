"""`/forecasts`: what people submit and adjust, and what the deals say (Forecast Endpoints)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.amounts import Amount, cents
from apps.core.api.bodies import Body, Currency, Identifier, Money, Text
from apps.core.api.endpoint import Endpoint, listed, operation
from apps.forecasts.fields import ADJUSTMENTS, FORECAST_DEALS, FORECASTS, SUBMISSIONS
from apps.forecasts.models import ForecastAdjustment
from apps.forecasts.rules import ForecastType
from apps.forecasts.services.adjustments import adjust_forecast
from apps.forecasts.services.submissions import Submitted, submit_forecast

TAGS = ("forecasts",)


class NewForecast(Body):
    """What a territory, or a person, will bring in."""

    period = Text(max_length=20, help_text="Such as Q1_2026, M03_2026 or FY_2026.")
    territory_id = Identifier(required=False)
    user_id = Identifier(required=False)
    forecast_type = serializers.ChoiceField(ForecastType.choices)
    amount = Money()
    currency = Currency(required=False)
    notes = Text(max_length=5000, required=False, allow_blank=True)


class ForecastReceipt(serializers.Serializer):
    """A forecast that was submitted, beside the pipeline for it."""

    id = serializers.UUIDField()
    period = serializers.CharField()
    forecast_type = serializers.ChoiceField(ForecastType.choices)
    amount = Amount()
    current_pipeline = Amount()
    pipeline_coverage = serializers.FloatField(allow_null=True)
    created_at = serializers.DateTimeField()


def forecast_receipt(submitted: Submitted) -> dict[str, Any]:
    """A submission as the source answers it (sales-system-integrations, Create Forecast)."""
    submission, coverage = submitted.submission, submitted.pipeline_coverage
    return {
        "id": submission.pk,
        "period": submission.period,
        "forecast_type": submission.forecast_type,
        "amount": cents(submission.amount),
        "current_pipeline": cents(submitted.current_pipeline),
        "pipeline_coverage": None if coverage is None else float(coverage),
        "created_at": submission.created_at,
    }


class NewAdjustment(Body):
    """What a forecast is taken for instead, and why."""

    amount = Money()
    reason = Text(max_length=5000)
    forecast_type = serializers.ChoiceField(
        ForecastType.choices,
        required=False,
        help_text="If left out, what was submitted, or else the commitment.",
    )
    currency = Currency(required=False, help_text="The forecast's, if left out.")


class AdjustmentReceipt(serializers.Serializer):
    """An adjustment of a forecast."""

    id = serializers.UUIDField()
    period = serializers.CharField()
    user_id = serializers.UUIDField(allow_null=True)
    territory_id = serializers.UUIDField(allow_null=True)
    forecast_type = serializers.ChoiceField(ForecastType.choices)
    amount = Amount()
    currency = serializers.CharField()
    supersedes_id = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()


def adjustment_receipt(adjustment: ForecastAdjustment) -> dict[str, Any]:
    """An adjustment as doors answer it."""
    return {
        "id": adjustment.pk,
        "period": adjustment.period,
        "user_id": adjustment.user_id,
        "territory_id": adjustment.territory_id,
        "forecast_type": adjustment.forecast_type,
        "amount": cents(adjustment.amount),
        "currency": adjustment.currency,
        "supersedes_id": adjustment.supersedes_id,
        "created_at": adjustment.created_at,
    }


class ForecastCollection(Endpoint):
    """`/forecasts`."""

    get = listed(SUBMISSIONS, summary="Submitted forecasts within reach, newest first", tags=TAGS)

    @operation(
        summary="Submit a forecast",
        body=NewForecast,
        answer=ForecastReceipt,
        status=201,
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        return forecast_receipt(submit_forecast(**body, actor=actor))


class ForecastAdjustments(Endpoint):
    """`/forecasts/{forecast_id}/adjustments`."""

    @operation(
        summary="Adjust the forecast of somebody you lead, or of a territory you manage",
        body=NewAdjustment,
        answer=AdjustmentReceipt,
        status=201,
        tags=TAGS,
    )
    def post(self, actor: Actor, forecast_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        return adjustment_receipt(adjust_forecast(forecast_id=forecast_id, **body, actor=actor))


class AdjustmentCollection(Endpoint):
    """`/forecasts/adjustments`."""

    get = listed(ADJUSTMENTS, summary="Adjusted forecasts within reach, newest first", tags=TAGS)


class PeriodForecasts(Endpoint):
    """`/forecasts/{period}`."""

    get = listed(
        FORECASTS,
        stated="period",
        summary="Computed forecasts of a period, by person and territory within reach",
        tags=TAGS,
    )


class PeriodDeals(Endpoint):
    """`/forecasts/{period}/deals`."""

    get = listed(
        FORECAST_DEALS,
        stated="period",
        summary="The opportunities behind the forecasts of a period",
        tags=TAGS,
    )
