"""`/quotas/plan`: a fiscal year, people down and periods across."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.amounts import Amount, cents
from apps.core.api.bodies import Body, Identifier, Money, Text
from apps.core.api.endpoint import Endpoint, operation
from apps.core.api.schema import Card
from apps.core.periods import PeriodKind
from apps.quotas.rules import QuotaType
from apps.quotas.selectors.plan import PlannedPerson, QuotaPlan, quota_plan
from apps.quotas.services.plans import MOST_CELLS, PlannedQuota, plan_quotas

TAGS = ("quotas",)


class PlanQuery(Body):
    """Which year, of what, and whose reports."""

    fiscal_year = Text(max_length=20, help_text="Such as FY_2026.")
    quota_type = serializers.ChoiceField(QuotaType.choices)
    by = serializers.ChoiceField(
        [(one.value, one.value) for one in (PeriodKind.QUARTER, PeriodKind.MONTH)],
        default=PeriodKind.QUARTER.value,
    )
    lead_id = Identifier(
        required=False, help_text="Whose reports; without it, those who report to nobody you see."
    )


class PlannedFacts(Body):
    """What somebody is to bring in a period."""

    user_id = Identifier()
    period = Text(max_length=20)
    quota_amount = Money()
    read_amount = Money(
        required=False,
        allow_null=True,
        help_text="What it was when it was read; nothing where nothing was set.",
    )


class PlanFacts(Body):
    """Quotas to be set or changed, all or none of them."""

    quota_type = serializers.ChoiceField(QuotaType.choices)
    quotas = serializers.ListField(child=PlannedFacts(), min_length=1, max_length=MOST_CELLS)


class PlannedAmount(serializers.Serializer):
    """What somebody is to bring in a period."""

    period = serializers.CharField()
    quota_amount = Amount()


class PlannedPersonAnswer(serializers.Serializer):
    """Somebody's quotas."""

    user = Card()
    leads_others = serializers.BooleanField()
    quotas = PlannedAmount(many=True)


class PlannedTotal(PlannedAmount):
    """What people are to bring together, and what their lead is to and they are not."""

    gap = Amount(allow_null=True)


class PlanAnswer(serializers.Serializer):
    """How a fiscal year is planned."""

    fiscal_year = serializers.CharField()
    quota_type = serializers.ChoiceField(QuotaType.choices)
    lead = PlannedPersonAnswer(allow_null=True)
    people = PlannedPersonAnswer(many=True)
    totals = PlannedTotal(many=True)
    has_more = serializers.BooleanField()


class PlannedReceipt(serializers.Serializer):
    """How many quotas are what was asked for."""

    count = serializers.IntegerField()


class QuotaPlanView(Endpoint):
    """`/quotas/plan`."""

    @operation(
        summary="The quotas of a fiscal year, by person and period",
        query=PlanQuery,
        answer=PlanAnswer,
        tags=TAGS,
    )
    def get(self, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
        return _answer(quota_plan(actor=actor, **query))

    @operation(
        summary="Set and change quotas of many people and periods at once",
        body=PlanFacts,
        answer=PlannedReceipt,
        tags=TAGS,
    )
    def put(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        quotas = [
            PlannedQuota(
                user_id=one["user_id"],
                period=one["period"],
                amount=one["quota_amount"],
                read=one.get("read_amount"),
            )
            for one in body["quotas"]
        ]
        planned = plan_quotas(quota_type=body["quota_type"], quotas=quotas, actor=actor)
        return {"count": len(planned)}


def _answer(plan: QuotaPlan) -> dict[str, Any]:
    return {
        "fiscal_year": plan.year.key,
        "quota_type": plan.quota_type,
        "lead": plan.lead and _person(plan.lead),
        "people": [_person(one) for one in plan.people],
        "totals": [
            {
                "period": one.key,
                "quota_amount": cents(plan.total(one.key)),
                "gap": cents(plan.gap(one.key)),
            }
            for one in plan.periods
        ],
        "has_more": plan.has_more,
    }


def _person(person: PlannedPerson) -> dict[str, Any]:
    return {
        "user": {"id": person.user_id, "name": person.name},
        "leads_others": person.leads_others,
        "quotas": [
            {"period": period, "quota_amount": cents(amount)}
            for period, amount in person.amounts.items()
        ],
    }
