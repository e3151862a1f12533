"""`/revenue/{period}`: what was sold."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.amounts import Amount, cents
from apps.core.api.bodies import Body, Identifier
from apps.core.api.endpoint import Endpoint, operation
from apps.core.api.schema import Card
from apps.core.periods import parse_period
from apps.quotas.selectors.attainment import Revenue, revenue
from apps.territories.fields import TERRITORY_NAMES

TAGS = ("revenue",)


class RevenueQuery(Body):
    """Whose, if not of everybody within reach."""

    user_id = Identifier(required=False, help_text="With those who report to this person.")
    territory_id = Identifier(required=False, help_text="With the territories below it.")


class MonthAnswer(serializers.Serializer):
    """What was sold in a month."""

    month = serializers.CharField()
    amount = Amount()
    deals = Amount()


class TerritoryAnswer(serializers.Serializer):
    """What was sold in a territory itself, against its quota for the period."""

    territory = Card()
    amount = Amount()
    deals = Amount()
    quota_amount = Amount(allow_null=True)
    attainment_percentage = Amount(allow_null=True)


class RevenueAnswer(serializers.Serializer):
    """What was sold in a period, at the exchange rates of the days the deals were won."""

    period = serializers.CharField()
    user_id = serializers.UUIDField(allow_null=True)
    territory_id = serializers.UUIDField(allow_null=True)
    currency = serializers.CharField()
    amount = Amount()
    deals = Amount(help_text="Shares of a deal add up to it.")
    by_month = MonthAnswer(many=True)
    by_territory = TerritoryAnswer(many=True)


class PeriodRevenue(Endpoint):
    """`/revenue/{period}`."""

    @operation(
        summary="What was sold in a period, by month and territory",
        query=RevenueQuery,
        answer=RevenueAnswer,
        tags=TAGS,
    )
    def get(self, actor: Actor, period: str, query: dict[str, Any]) -> dict[str, Any]:
        meant = parse_period(period, start_month=settings.FISCAL_YEAR_START_MONTH)
        found = revenue(period=meant, actor=actor, **query)
        return {
            "period": meant.key,
            "user_id": query.get("user_id"),
            "territory_id": query.get("territory_id"),
            "currency": settings.DEFAULT_CURRENCY,
            **_revenue(found),
        }


def _revenue(found: Revenue) -> dict[str, Any]:
    places = TERRITORY_NAMES.cards(str(one.territory_id) for one in found.by_territory)
    return {
        "amount": cents(found.amount),
        "deals": cents(found.deals),
        "by_month": [
            {"month": one.month, "amount": cents(one.amount), "deals": cents(one.deals)}
            for one in found.by_month
        ],
        "by_territory": [
            {
                "territory": places[str(one.territory_id)],
                "amount": cents(one.amount),
                "deals": cents(one.deals),
                "quota_amount": cents(one.quota),
                "attainment_percentage": cents(one.percentage),
            }
            for one in found.by_territory
        ],
    }
