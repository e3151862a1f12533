"""`/exchange-rates`: what other currencies are worth."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.bodies import Body, Currency
from apps.core.api.endpoint import Endpoint, listed, operation
from apps.core.api.schema import row_serializer
from apps.core.exchange_rates import EXCHANGE_RATES, set_exchange_rate

TAGS = ("exchange rates",)


class Rate(serializers.DecimalField):
    """A positive number with at most ten decimals, as text or as a JSON number."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=20, decimal_places=10, min_value=Decimal(0), **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool) or not isinstance(data, int | float | str):
            raise serializers.ValidationError("Give a number.")
        return super().to_internal_value(data)


class ExchangeRateFacts(Body):
    """What one unit of a currency is worth in the organisation's, from a day on."""

    currency = Currency()
    valid_from = serializers.DateField()
    rate = Rate()


class ExchangeRateCollection(Endpoint):
    """`/exchange-rates`."""

    get = listed(EXCHANGE_RATES, summary="What other currencies are worth", tags=TAGS)

    @operation(
        summary="Say what a currency is worth from a day on",
        body=ExchangeRateFacts,
        answer=row_serializer(EXCHANGE_RATES),
        tags=TAGS,
    )
    def put(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        return EXCHANGE_RATES.one(actor, set_exchange_rate(**body, actor=actor).pk)
