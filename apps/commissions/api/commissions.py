"""`/commissions`: what people are due, and for which deals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from rest_framework import serializers

from apps.commissions.fields import COMMISSIONS
from apps.commissions.selectors import (
    CommissionedDeal,
    Due,
    Line,
    Statement,
    commissioned_deals,
)
from apps.commissions.services.calculation import Calculation, calculate_commissions
from apps.core.actors import Actor
from apps.core.api.amounts import Amount, cents
from apps.core.api.bodies import Body, Flag, Identifier, Text
from apps.core.api.endpoint import Endpoint, listed, operation
from apps.core.api.schema import Card
from apps.core.periods import parse_period
from apps.users.fields import USER_NAMES

TAGS = ("commissions",)
MOST_PEOPLE = 1000


class CalculationFacts(Body):
    """For when, and for whom if not for everybody."""

    period = Text(max_length=20, help_text="Such as Q1_2026, M03_2026 or FY_2026.")
    user_ids = serializers.ListField(
        child=Identifier(), required=False, min_length=1, max_length=MOST_PEOPLE
    )
    dry_run = Flag(default=False)


class LineAnswer(serializers.Serializer):
    """What is paid at one rate."""

    plan_id = serializers.UUIDField()
    kind = serializers.CharField()
    rate = serializers.FloatField()
    base_amount = Amount()
    amount = Amount()


class StatementAnswer(serializers.Serializer):
    """What one person is due; a change below zero is taken back."""

    user = Card()
    quota_amount = Amount(allow_null=True)
    credited_amount = Amount()
    commission_amount = Amount()
    change = Amount()
    lines = LineAnswer(many=True)


class CalculationAnswer(serializers.Serializer):
    """What people are due for a period."""

    period = serializers.CharField()
    currency = serializers.CharField()
    is_kept = serializers.BooleanField()
    commission_amount = Amount()
    change = Amount()
    statements = StatementAnswer(many=True)


class DealQuery(Body):
    """Whose deals, and of when."""

    period = Text(max_length=20)
    user_id = Identifier()


class DealAnswer(serializers.Serializer):
    """A deal, or the part of one that lies above a threshold."""

    opportunity = Card()
    closed_on = serializers.DateField()
    kind = serializers.CharField()
    base_amount = Amount()
    rate = serializers.FloatField()
    amount = Amount()


class DealsAnswer(serializers.Serializer):
    """The deals that somebody is due commission for, in the order they were won."""

    period = serializers.CharField()
    user_id = serializers.UUIDField()
    currency = serializers.CharField()
    deals = DealAnswer(many=True)


class CommissionCollection(Endpoint):
    """`/commissions`."""

    get = listed(COMMISSIONS, summary="The ledger: what people came to be due", tags=TAGS)


class CommissionCalculation(Endpoint):
    """`/commissions/calculate`."""

    @operation(
        summary="Work out what people are due for a period",
        body=CalculationFacts,
        answer=CalculationAnswer,
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        return _calculation(calculate_commissions(**body, actor=actor))


class CommissionDeals(Endpoint):
    """`/commissions/deals`."""

    @operation(
        summary="The deals that somebody is due commission for",
        query=DealQuery,
        answer=DealsAnswer,
        tags=TAGS,
    )
    def get(self, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
        period = parse_period(query["period"], start_month=settings.FISCAL_YEAR_START_MONTH)
        found = commissioned_deals(period=period, user_id=query["user_id"], actor=actor)
        return {
            "period": period.key,
            "user_id": query["user_id"],
            "currency": settings.DEFAULT_CURRENCY,
            "deals": [_deal(one) for one in found],
        }


def _calculation(found: Calculation) -> dict[str, Any]:
    people = USER_NAMES.cards(str(one.user_id) for one in found.statements)
    return {
        "period": found.period.key,
        "currency": settings.DEFAULT_CURRENCY,
        "is_kept": found.is_kept,
        "commission_amount": cents(found.commission),
        "change": cents(found.change),
        "statements": [_statement(one, people) for one in found.statements],
    }


def _statement(one: Statement, people: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "user": people[str(one.user_id)],
        "quota_amount": cents(one.quota),
        "credited_amount": cents(one.credited),
        "commission_amount": cents(one.commission),
        "change": cents(one.change),
        "lines": [_line(line, due) for line, due in one.due.items()],
    }


def _line(line: Line, due: Due) -> dict[str, Any]:
    plan_id, kind, rate = line
    return {
        "plan_id": plan_id,
        "kind": kind,
        "rate": float(rate),
        "base_amount": cents(due.base),
        "amount": cents(due.amount),
    }


def _deal(one: CommissionedDeal) -> dict[str, Any]:
    return {
        "opportunity": {"id": one.opportunity_id, "name": one.name},
        "closed_on": one.share.earning.closed_on,
        "kind": one.share.earning.kind,
        "base_amount": cents(one.share.amount),
        "rate": float(one.share.rate),
        "amount": cents(one.amount),
    }
