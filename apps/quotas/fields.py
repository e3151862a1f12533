"""What quotas and their credits show, and what they are narrowed by."""

from __future__ import annotations

from django.conf import settings

from apps.core.periods import parse_period
from apps.core.rows.fields import Field, Kind
from apps.core.rows.filters import Filter, at_least, at_most, one_of, refers_to
from apps.core.rows.listing import Listing, Ordering
from apps.core.rows.scope import OwnedScope
from apps.quotas.models import Quota, QuotaCredit
from apps.quotas.permissions import READ_QUOTA
from apps.quotas.rules import CreditKind, QuotaType
from apps.quotas.selectors.attainment import ALLOCATED, ATTAINED
from apps.territories.fields import TERRITORY_NAMES
from apps.users.fields import USER_NAMES

_HOLDER = OwnedScope(owner="user_id", territory="territory_id")


def _period_key(text: str) -> str:
    return parse_period(text, start_month=settings.FISCAL_YEAR_START_MONTH).key


OF_PERIOD = Filter(
    "period", 't."period" = %s', _period_key, "Such as Q1_2026, M03_2026 or FY_2026."
)

QUOTAS = Listing(
    name="quotas",
    model=Quota,
    read=READ_QUOTA,
    scope=_HOLDER,
    joins=f"CROSS JOIN LATERAL (SELECT {ATTAINED} AS attained, {ALLOCATED} AS allocated) AS a",
    fields=(
        Field("id"),
        Field("user", card=USER_NAMES),
        Field("territory", card=TERRITORY_NAMES),
        Field("period"),
        Field("start_date", source="starts_on"),
        Field("end_date", source="ends_on"),
        Field("quota_type"),
        Field("quota_amount", source="amount"),
        Field("currency"),
        Field("attainment_amount", expression="a.attained", kind=Kind.MONEY),
        Field(
            "attainment_percentage",
            expression="round(a.attained * 100 / nullif(t.amount, 0), 2)",
            kind=Kind.MONEY,
        ),
        Field("parent_id", source="parent"),
        Field("allocated_amount", expression="a.allocated", kind=Kind.MONEY),
        Field("allocation_gap", expression="(t.amount - a.allocated)", kind=Kind.MONEY),
        Field("created_at"),
        Field("updated_at"),
    ),
    filters=(
        OF_PERIOD,
        refers_to("user_id"),
        refers_to("territory_id"),
        refers_to("parent_id"),
        one_of("quota_type", QuotaType),
    ),
    orderings=(
        Ordering("start_date", 't."starts_on"', Kind.DAY),
        Ordering("quota_amount", 't."amount"', Kind.MONEY),
    ),
    default_ordering="-start_date",
)

_DEAL_NAME = "(SELECT o.name FROM opportunities_opportunity o WHERE o.id = t.opportunity_id)"

CREDITS = Listing(
    name="quota_credits",
    model=QuotaCredit,
    read=READ_QUOTA,
    scope=_HOLDER,
    fields=(
        Field("id"),
        Field("opportunity", card_name=_DEAL_NAME),
        Field("user", card=USER_NAMES),
        Field("territory", card=TERRITORY_NAMES),
        Field("kind"),
        Field("closed_on"),
        Field("amount"),
        Field("currency"),
        Field("rate", expression="trim_scale(t.rate)::text", kind=Kind.TEXT),
        Field("converted"),
        Field("deals"),
        Field("reverses_id", source="reverses"),
        Field("credited_at"),
    ),
    filters=(
        refers_to("user_id"),
        refers_to("territory_id"),
        refers_to("opportunity_id"),
        one_of("kind", CreditKind),
        at_least("closed_after", "closed_on", "day"),
        at_most("closed_before", "closed_on", "day"),
    ),
    orderings=(Ordering("closed_on", 't."closed_on"', Kind.DAY),),
    default_ordering="-closed_on",
)
