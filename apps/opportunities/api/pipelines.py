"""`/pipelines` and `/opportunities/pipeline`: ways of selling, and what is in them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.amounts import Amount, cents
from apps.core.api.bodies import Body, Identifier, Text
from apps.core.api.endpoint import Endpoint, listed, operation
from apps.core.periods import PeriodKind, organisation_day, parse_period, period_containing
from apps.opportunities.fields import PIPELINES
from apps.opportunities.selectors import Amounts, PipelineSummary, pipeline_summary

TAGS = ("opportunities",)


class PipelineQuery(Body):
    """Whose pipeline, and for when: without a period the current quarter."""

    owner_id = Identifier(required=False)
    period = Text(max_length=20, required=False)


class SummaryAnswer(serializers.Serializer):
    """How many deals, and what they are worth."""

    total_count = serializers.IntegerField()
    total_amount = Amount()
    weighted_amount = Amount()


class StageAnswer(serializers.Serializer):
    """What is in one stage."""

    stage = serializers.CharField()
    count = serializers.IntegerField()
    total_amount = Amount()
    probability = serializers.IntegerField()
    weighted_amount = Amount()


class OverdueAnswer(serializers.Serializer):
    """What should have closed already."""

    count = serializers.IntegerField()
    total_amount = Amount()


class OtherCurrencyAnswer(SummaryAnswer):
    """Deals in another currency, which are not mixed in."""

    currency = serializers.CharField()


class PipelineAnswer(serializers.Serializer):
    """Open deals expected to close in a period."""

    period = serializers.CharField()
    owner_id = serializers.UUIDField(allow_null=True)
    currency = serializers.CharField()
    summary = SummaryAnswer()
    by_stage = StageAnswer(many=True)
    overdue = OverdueAnswer()
    other_currencies = OtherCurrencyAnswer(many=True)


def _summary(amounts: Amounts) -> dict[str, Any]:
    return {
        "total_count": amounts.count,
        "total_amount": cents(amounts.total_amount),
        "weighted_amount": cents(amounts.weighted_amount),
    }


def pipeline_answer(found: PipelineSummary) -> dict[str, Any]:
    """A summary as the source shows it (sales-system-integrations, Get Opportunity Pipeline)."""
    return {
        "period": found.period,
        "owner_id": found.owner_id,
        "currency": found.currency,
        "summary": _summary(found.summary),
        "by_stage": [
            {
                "stage": one.stage,
                "count": one.amounts.count,
                "total_amount": cents(one.amounts.total_amount),
                "probability": one.probability,
                "weighted_amount": cents(one.amounts.weighted_amount),
            }
            for one in found.by_stage
        ],
        "overdue": {
            "count": found.overdue.count,
            "total_amount": cents(found.overdue.total_amount),
        },
        "other_currencies": [
            {"currency": currency, **_summary(amounts)}
            for currency, amounts in found.other_currencies.items()
        ],
    }


def pipeline_asked_for(actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """The answer to a `PipelineQuery`. Raises NotAllowed, InvalidInput."""
    today = organisation_day(timezone.now())
    start = settings.FISCAL_YEAR_START_MONTH
    quarter = period_containing(today, PeriodKind.QUARTER, start_month=start)
    period = parse_period(query.pop("period", quarter.key), start_month=start)
    return pipeline_answer(pipeline_summary(actor=actor, period=period, today=today, **query))


class OpportunityPipeline(Endpoint):
    """`/opportunities/pipeline`."""

    @operation(
        summary="Open opportunities expected to close in a period, by stage",
        query=PipelineQuery,
        answer=PipelineAnswer,
        tags=TAGS,
    )
    def get(self, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
        return pipeline_asked_for(actor, query)


class PipelineCollection(Endpoint):
    """`/pipelines`."""

    get = listed(PIPELINES, summary="Pipelines with their stages and moves", tags=TAGS)
