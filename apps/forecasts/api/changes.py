"""`/forecasts/changes`: what changed in a forecast between two moments, and by which deals."""

from __future__ import annotations

from typing import Any

import orjson
from django.utils import timezone
from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.amounts import Amount, cents
from apps.core.api.bodies import Body, Currency, Identifier, Text
from apps.core.api.endpoint import Endpoint, operation
from apps.core.api.schema import Card
from apps.core.rows.listing import DEFAULT_LIMIT, LARGEST_LIMIT
from apps.forecasts.rules import Movement, Standing
from apps.forecasts.selectors.changes import (
    Change,
    Span,
    Sums,
    Waterfall,
    changed_deals,
    span_asked_for,
    waterfalls,
)
from apps.forecasts.selectors.nodes import period_named

TAGS = ("forecasts",)


class ChangesQuery(Body):
    """Whose forecast, and between which moments: `generated_at` of a forecast is one."""

    period = Text(max_length=20, help_text="Such as Q1_2026, M03_2026 or FY_2026.")
    user_id = Identifier(required=False, help_text="With those who report to this person.")
    territory_id = Identifier(required=False, help_text="With the territories below it.")

    def get_fields(self) -> dict[str, Any]:
        """`from` is no name that Python allows."""
        moments = {
            "from": serializers.DateTimeField(),
            "to": serializers.DateTimeField(required=False, help_text="Now, if left out."),
        }
        return {**moments, **super().get_fields()}


class ChangedDealsQuery(ChangesQuery):
    """Which of the deals."""

    movement = serializers.ChoiceField(Movement.choices, required=False)
    currency = Currency(required=False)
    limit = serializers.IntegerField(min_value=1, max_value=LARGEST_LIMIT, default=DEFAULT_LIMIT)
    offset = serializers.IntegerField(min_value=0, max_value=1_000_000, default=0)


class SumsAnswer(serializers.Serializer):
    """What deals come to; of a change, what it added."""

    count = serializers.IntegerField()
    open_amount = Amount()
    closed_amount = Amount()
    weighted_amount = Amount()


class MovementAnswer(SumsAnswer):
    """What deals added, or took away, for one reason."""

    movement = serializers.ChoiceField(Movement.choices)


class WaterfallAnswer(serializers.Serializer):
    """How a forecast went in one currency: the opening and all changes come to the closing."""

    currency = serializers.CharField()
    opening = SumsAnswer()
    changes = MovementAnswer(many=True)
    closing = SumsAnswer()


class ForecastChangesAnswer(serializers.Serializer):
    """What changed in a forecast."""

    from_ = serializers.DateTimeField()
    to = serializers.DateTimeField()
    period = serializers.CharField()
    user_id = serializers.UUIDField(allow_null=True)
    territory_id = serializers.UUIDField(allow_null=True)
    currencies = WaterfallAnswer(many=True)

    def get_fields(self) -> dict[str, Any]:
        """`from` is no name that Python allows."""
        found = super().get_fields()
        return {"from": found.pop("from_"), **found}


class CountedAnswer(serializers.Serializer):
    """How a deal counted at a moment; what was not there yet has nothing but its standing."""

    standing = serializers.ChoiceField(Standing.choices)
    stage = serializers.CharField(allow_null=True)
    amount = Amount(allow_null=True)
    probability = serializers.IntegerField(allow_null=True)
    counts_on = serializers.DateField(allow_null=True)


class ChangedDealAnswer(serializers.Serializer):
    """What a deal added to a forecast, or took from it."""

    opportunity = Card()
    currency = serializers.CharField()
    movement = serializers.ChoiceField(Movement.choices)
    open_amount = Amount()
    closed_amount = Amount()
    weighted_amount = Amount()
    before = CountedAnswer()
    after = CountedAnswer()


class PlaceAnswer(serializers.Serializer):
    """Where a page stands."""

    limit = serializers.IntegerField()
    offset = serializers.IntegerField()
    has_more = serializers.BooleanField()


class ChangedDealsAnswer(serializers.Serializer):
    """A page of deals, those that moved the forecast most first."""

    data = ChangedDealAnswer(many=True)
    pagination = PlaceAnswer()


class ForecastChanges(Endpoint):
    """`/forecasts/changes`."""

    @operation(
        summary="What changed in a forecast between two moments",
        query=ChangesQuery,
        answer=ForecastChangesAnswer,
        tags=TAGS,
    )
    def get(self, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
        span = _span(actor, query)
        return {
            "from": span.first,
            "to": span.last,
            "period": span.period.key,
            "user_id": span.node.user_id,
            "territory_id": span.node.territory_id,
            "currencies": [_waterfall(one) for one in waterfalls(span)],
        }


class ForecastChangesDeals(Endpoint):
    """`/forecasts/changes/deals`."""

    @operation(
        summary="The opportunities by which a forecast changed between two moments",
        query=ChangedDealsQuery,
        answer=ChangedDealsAnswer,
        tags=TAGS,
    )
    def get(self, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
        limit, offset = query.pop("limit"), query.pop("offset")
        narrowed = {name: query.pop(name, None) for name in ("movement", "currency")}
        span = _span(actor, query)
        found = changed_deals(span, actor=actor, limit=limit + 1, offset=offset, **narrowed)
        return {
            "data": [_deal(one) for one in found[:limit]],
            "pagination": {"limit": limit, "offset": offset, "has_more": len(found) > limit},
        }


def _span(actor: Actor, query: dict[str, Any]) -> Span:
    first, last = query.pop("from"), query.pop("to", None) or timezone.now()
    period = period_named(query.pop("period"))
    return span_asked_for(actor=actor, period=period, first=first, last=last, **query)


def _sums(found: Sums) -> dict[str, Any]:
    return {
        "count": found.count,
        "open_amount": cents(found.open_amount),
        "closed_amount": cents(found.closed_amount),
        "weighted_amount": cents(found.weighted_amount),
    }


def _waterfall(found: Waterfall) -> dict[str, Any]:
    return {
        "currency": found.currency,
        "opening": _sums(found.opening),
        "changes": [{"movement": one, **_sums(sums)} for one, sums in found.changes.items()],
        "closing": _sums(found.closing),
    }


def _deal(found: Change) -> dict[str, Any]:
    return {
        "opportunity": {"id": found.opportunity_id, "name": found.name},
        "currency": found.currency,
        "movement": found.movement,
        "open_amount": cents(found.amounts.open_amount),
        "closed_amount": cents(found.amounts.closed_amount),
        "weighted_amount": cents(found.amounts.weighted_amount),
        "before": orjson.Fragment(found.before),
        "after": orjson.Fragment(found.after),
    }
