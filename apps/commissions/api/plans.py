"""`/commissions/plans`: what is paid, and who earns by it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from rest_framework import serializers

from apps.commissions.fields import COMMISSION_PLANS
from apps.commissions.rules import MOST_TIERS, Tier
from apps.commissions.services.plans import (
    add_commission_plan,
    put_on_plan,
    retire_commission_plan,
)
from apps.core.actors import Actor
from apps.core.api.bodies import Body, Identifier, Text
from apps.core.api.endpoint import Endpoint, listed, operation
from apps.core.api.schema import row_serializer
from apps.core.periods import PeriodKind

TAGS = ("commissions",)


class _Rate(serializers.DecimalField):
    def __init__(self, **options: Any) -> None:
        super().__init__(
            max_digits=7, decimal_places=4, min_value=0, max_value=Decimal(100), **options
        )


class TierFacts(Body):
    """What is paid for what lies above so many percent of the quota."""

    above = serializers.DecimalField(max_digits=7, decimal_places=2, min_value=0)
    rate = _Rate()


class NewPlan(Body):
    """A plan, by what is paid: percentages."""

    name = Text(max_length=100)
    pays_by = serializers.ChoiceField([(one.value, one.value) for one in PeriodKind])
    tiers = serializers.ListField(child=TierFacts(), min_length=1, max_length=MOST_TIERS)
    overlay_rate = _Rate(default=Decimal(0))


class NewMember(Body):
    """Who goes on a plan, and when."""

    user_id = Identifier()
    starts_on = serializers.DateField()


class MemberReceipt(serializers.Serializer):
    """Somebody who earns by a plan."""

    user_id = serializers.UUIDField()
    plan_id = serializers.UUIDField()
    starts_on = serializers.DateField()


class PlanCollection(Endpoint):
    """`/commissions/plans`."""

    get = listed(COMMISSION_PLANS, summary="Commission plans", tags=TAGS)

    @operation(
        summary="Set up a commission plan",
        body=NewPlan,
        answer=row_serializer(COMMISSION_PLANS),
        status=201,
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        tiers = [Tier(**one) for one in body.pop("tiers")]
        return COMMISSION_PLANS.one(actor, add_commission_plan(**body, tiers=tiers, actor=actor).pk)


class PlanMembership(Endpoint):
    """`/commissions/plans/{plan_id}/members`."""

    @operation(
        summary="Put somebody on a plan from a day on",
        body=NewMember,
        answer=MemberReceipt,
        status=201,
        tags=TAGS,
    )
    def post(self, actor: Actor, plan_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        member = put_on_plan(plan_id=plan_id, **body, actor=actor)
        return {
            "user_id": member.user_id,
            "plan_id": member.plan_id,
            "starts_on": member.starts_on,
        }


class PlanRetirement(Endpoint):
    """`/commissions/plans/{plan_id}/retire`."""

    @operation(
        summary="Let nobody new on a plan",
        answer=row_serializer(COMMISSION_PLANS),
        tags=TAGS,
    )
    def post(self, actor: Actor, plan_id: UUID) -> dict[str, Any]:
        return COMMISSION_PLANS.one(actor, retire_commission_plan(plan_id=plan_id, actor=actor).pk)
