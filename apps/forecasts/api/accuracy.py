"""`/forecasts/accuracy`: how good forecasts were."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.bodies import Body, Identifier
from apps.core.api.endpoint import Endpoint, listed, operation
from apps.forecasts.fields import ACCURACIES
from apps.forecasts.rules import Length, Line
from apps.forecasts.selectors.accuracy import Method, accuracy_of

TAGS = ("forecasts",)


class AccuracyQuery(Body):
    """Whose forecasts; without either of the ids those at the top of what the caller reaches."""

    by = serializers.ChoiceField(
        Line.choices, required=False, help_text="By default the reporting line."
    )
    user_id = Identifier(required=False)
    territory_id = Identifier(required=False)
    period_kind = serializers.ChoiceField(Length.choices, default=Length.QUARTER)


class AccuracyAnswer(serializers.Serializer):
    """How far forecasts of one kind, made so many days before the end of a period, were off."""

    days_before = serializers.IntegerField()
    method = serializers.ChoiceField(Method.choices)
    currency = serializers.CharField()
    periods = serializers.IntegerField()
    mape = serializers.FloatField(
        allow_null=True, help_text="Mean of how far each was off, in percent of what came."
    )
    bias = serializers.FloatField(
        allow_null=True, help_text="By how much all of them were too high; below zero too low."
    )


class AccuraciesAnswer(serializers.Serializer):
    """How good forecasts were."""

    period_kind = serializers.ChoiceField(Length.choices)
    data = AccuracyAnswer(many=True)


class ForecastAccuracy(Endpoint):
    """`/forecasts/accuracy`."""

    @operation(
        summary="How good forecasts were, by days before the end of their periods",
        query=AccuracyQuery,
        answer=AccuraciesAnswer,
        tags=TAGS,
    )
    def get(self, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
        kind = Length(query.pop("period_kind"))
        line = Line(query.pop("by")) if "by" in query else None
        found = accuracy_of(actor=actor, kind=kind, line=line, **query)
        return {
            "period_kind": kind,
            "data": [
                {
                    "days_before": one.days_before,
                    "method": one.method,
                    "currency": one.currency,
                    "periods": one.periods,
                    "mape": None if one.mape is None else float(one.mape),
                    "bias": None if one.bias is None else float(one.bias),
                }
                for one in found
            ],
        }


class AccuracyPeriods(Endpoint):
    """`/forecasts/accuracy/periods`."""

    get = listed(
        ACCURACIES,
        summary="What was forecast for periods that ended, beside what they came to",
        tags=TAGS,
    )
