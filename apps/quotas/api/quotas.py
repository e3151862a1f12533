"""`/quotas`: what people and territories are to bring in, and how they stand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.amounts import Amount, cents
from apps.core.api.bodies import Body, Currency, Flag, Identifier, Money, Text
from apps.core.api.endpoint import Endpoint, listed, operation, shown
from apps.core.api.schema import row_serializer
from apps.core.periods import organisation_today, parse_period
from apps.quotas.fields import CREDITS, QUOTAS
from apps.quotas.rules import QuotaShare, QuotaType
from apps.quotas.selectors.attainment import Attainment, attainments
from apps.quotas.services.allocation import (
    BY,
    MOST_SHARES,
    Allocation,
    allocate_quota,
)
from apps.quotas.services.quotas import change_quota, set_quota

TAGS = ("quotas",)


class NewQuota(Body):
    """What a person, or a territory, is to bring in."""

    user_id = Identifier(required=False)
    territory_id = Identifier(required=False)
    period = Text(max_length=20, help_text="Such as Q1_2026, M03_2026 or FY_2026.")
    quota_type = serializers.ChoiceField(QuotaType.choices)
    quota_amount = Money()
    currency = Currency(required=False)


class QuotaChange(Body):
    """What a quota is to be."""

    quota_amount = Money()


class QuotaCollection(Endpoint):
    """`/quotas`."""

    get = listed(QUOTAS, summary="Quotas within reach, with what is attained", tags=TAGS)

    @operation(
        summary="Set a quota",
        body=NewQuota,
        answer=row_serializer(QUOTAS),
        status=201,
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        return QUOTAS.one(actor, set_quota(**body, actor=actor).pk)


class QuotaItem(Endpoint):
    """`/quotas/{quota_id}`."""

    get = shown(QUOTAS, summary="A quota", tags=TAGS)

    @operation(summary="Change a quota", body=QuotaChange, answer=row_serializer(QUOTAS), tags=TAGS)
    def put(self, actor: Actor, quota_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        change_quota(quota_id=quota_id, **body, actor=actor)
        return QUOTAS.one(actor, quota_id)


class ShareFacts(Body):
    """Who gets a part: either a person or a territory."""

    user_id = Identifier(required=False)
    territory_id = Identifier(required=False)
    weight = serializers.DecimalField(
        max_digits=12, decimal_places=4, min_value=0, default=Decimal(1)
    )
    since = serializers.DateField(
        required=False, help_text="First day in the role; nothing is given for before."
    )
    ramp = serializers.ListField(
        child=serializers.DecimalField(max_digits=5, decimal_places=2, min_value=0, max_value=100),
        max_length=24,
        default=list,
        help_text="Percent of a full target in each month since then.",
    )


class AllocationFacts(Body):
    """How a quota is shared out."""

    quota_id = Identifier()
    shares = serializers.ListField(child=ShareFacts(), min_length=1, max_length=MOST_SHARES)
    by = serializers.ChoiceField(
        [(one.value, one.value) for one in BY],
        required=False,
        help_text="Also over the months or quarters of its period.",
    )
    seasonality = serializers.ListField(
        child=serializers.DecimalField(max_digits=12, decimal_places=4, min_value=0),
        max_length=12,
        default=list,
        help_text="A weight for each of those parts.",
    )
    over_assignment = serializers.DecimalField(
        max_digits=5,
        decimal_places=2,
        min_value=0,
        max_value=100,
        default=Decimal(0),
        help_text="Percent that is given out on top.",
    )
    dry_run = Flag(default=False)


class AllottedAnswer(serializers.Serializer):
    """A part; one that is only tried out has no id yet."""

    quota_id = serializers.UUIDField(allow_null=True)
    user_id = serializers.UUIDField(allow_null=True)
    territory_id = serializers.UUIDField(allow_null=True)
    period = serializers.CharField()
    quota_amount = Amount()
    previous_amount = Amount(allow_null=True)


class AllocationAnswer(serializers.Serializer):
    """What a quota was shared out into. The gap is what nobody was given."""

    quota_id = serializers.UUIDField()
    quota_amount = Amount()
    allocated_amount = Amount()
    allocation_gap = Amount()
    is_kept = serializers.BooleanField()
    quotas = AllottedAnswer(many=True)


class QuotaAllocation(Endpoint):
    """`/quotas/allocate`."""

    @operation(
        summary="Share a quota out, over people, territories and the parts of its period",
        body=AllocationFacts,
        answer=AllocationAnswer,
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        shares = [QuotaShare(**{**one, "ramp": tuple(one["ramp"])}) for one in body.pop("shares")]
        return _allocation_answer(allocate_quota(shares=shares, actor=actor, **body))


def _allocation_answer(found: Allocation) -> dict[str, Any]:
    return {
        "quota_id": found.quota.pk,
        "quota_amount": cents(found.quota.amount),
        "allocated_amount": cents(found.allocated),
        "allocation_gap": cents(found.gap),
        "is_kept": found.is_kept,
        "quotas": [
            {
                "quota_id": one.quota.pk if found.is_kept or one.previous is not None else None,
                "user_id": one.quota.user_id,
                "territory_id": one.quota.territory_id,
                "period": one.quota.period,
                "quota_amount": cents(one.quota.amount),
                "previous_amount": cents(one.previous),
            }
            for one in found.parts
        ],
    }


class CreditCollection(Endpoint):
    """`/quotas/credits`."""

    get = listed(CREDITS, summary="The ledger: what won deals are credited to whom", tags=TAGS)


class AttainmentQuery(Body):
    """Whose quotas, and for when."""

    period = Text(max_length=20)
    user_id = Identifier(required=False)
    territory_id = Identifier(required=False)


class AttainmentAnswer(serializers.Serializer):
    """How one quota stands."""

    quota_id = serializers.UUIDField()
    quota_type = serializers.ChoiceField(QuotaType.choices)
    quota_amount = Amount()
    currency = serializers.CharField()
    attainment_amount = Amount()
    attainment_percentage = Amount(allow_null=True)
    expected_by_today = Amount()
    projected_attainment = Amount(allow_null=True)


class AttainmentsAnswer(serializers.Serializer):
    """How the quotas of a person or territory stand."""

    period = serializers.CharField()
    user_id = serializers.UUIDField(allow_null=True)
    territory_id = serializers.UUIDField(allow_null=True)
    as_of = serializers.DateField()
    quotas = AttainmentAnswer(many=True)


def attainment_told(one: Attainment) -> dict[str, Any]:
    """What tells how a quota stands."""
    return {
        "quota_id": one.quota_id,
        "quota_type": one.quota_type,
        "quota_amount": cents(one.amount),
        "currency": one.currency,
        "attainment_amount": cents(one.attained),
        "attainment_percentage": cents(one.percentage),
        "expected_by_today": cents(one.pace.expected),
        "projected_attainment": cents(one.pace.projected),
    }


class QuotaAttainment(Endpoint):
    """`/quotas/attainment`."""

    @operation(
        summary="How the quotas of a person or territory stand, against pace",
        query=AttainmentQuery,
        answer=AttainmentsAnswer,
        tags=TAGS,
    )
    def get(self, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
        today = organisation_today()
        start = settings.FISCAL_YEAR_START_MONTH
        period = parse_period(query.pop("period"), start_month=start).key
        found = attainments(actor=actor, period=period, today=today, **query)
        return {
            "period": period,
            "user_id": query.get("user_id"),
            "territory_id": query.get("territory_id"),
            "as_of": today,
            "quotas": [attainment_told(one) for one in found],
        }
