"""Quotas in the GraphQL schema."""

from __future__ import annotations

from typing import Any

import graphene
from django.conf import settings

from apps.core.graphql.queries import choice, identifier_of, listed
from apps.core.graphql.rows import RowType
from apps.core.graphql.scalars import enumeration
from apps.core.periods import organisation_today, parse_period
from apps.quotas import rules
from apps.quotas.api.quotas import attainment_told
from apps.quotas.fields import QUOTAS
from apps.quotas.selectors.attainment import attainments
from apps.territories.graphql import Territory
from apps.users.graphql import User

QuotaType = enumeration(rules.QuotaType, "QuotaType", "What a quota counts.")


class Quota(RowType):
    """What a person or territory is to bring in a period."""

    class Meta:
        listing = QUOTAS
        required = ("period", "quota_type", "quota_amount", "currency", "attainment_amount")
        related = {"user": User, "territory": Territory}
        enums = {"quota_type": QuotaType}


class Attainment(graphene.ObjectType):
    """How one quota stands, against pace."""

    quota_id = graphene.ID(required=True)
    quota_type = graphene.Field(QuotaType, required=True)
    quota_amount = graphene.Float(required=True)
    currency = graphene.String(required=True)
    attainment_amount = graphene.Float(required=True)
    attainment_percentage = graphene.Float(description="Null for a quota of 0.")
    expected_by_today = graphene.Float(required=True)
    projected_attainment = graphene.Float(description="Null before the first working day.")


def _attainment(
    root: None, info: graphene.ResolveInfo, *, period: str, **holder: str | None
) -> list[dict[str, Any]]:
    ids = {name: identifier_of(name, text) for name, text in holder.items() if text is not None}
    key = parse_period(period, start_month=settings.FISCAL_YEAR_START_MONTH).key
    found = attainments(actor=info.context.actor, period=key, today=organisation_today(), **ids)
    return [attainment_told(one) for one in found]


class Query(graphene.ObjectType):
    """What can be asked of quotas."""

    class Meta:
        abstract = True

    quotas = listed(
        Quota,
        order=("period", "user_id", "territory_id"),
        narrowings={"quota_type": choice(QuotaType, "quota_type")},
    )
    attainment = graphene.Field(
        graphene.NonNull(graphene.List(graphene.NonNull(Attainment))),
        period=graphene.String(required=True),
        user_id=graphene.ID(),
        territory_id=graphene.ID(),
        resolver=_attainment,
        description="How the quotas of a person or territory stand.",
    )
