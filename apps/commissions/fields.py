"""What commission plans and entries show, and what they are narrowed by."""

from __future__ import annotations

from apps.commissions.models import CommissionEntry, CommissionPlan
from apps.commissions.permissions import READ_COMMISSION
from apps.core.rows.fields import Field, Kind
from apps.core.rows.filters import is_true, refers_to
from apps.core.rows.listing import Listing, Ordering
from apps.core.rows.scope import OpenScope, PersonScope
from apps.quotas.fields import OF_PERIOD
from apps.users.fields import USER_NAMES

_PLAN_NAME = "(SELECT p.name FROM commissions_commissionplan p WHERE p.id = t.plan_id)"

COMMISSION_PLANS = Listing(
    name="commission_plans",
    model=CommissionPlan,
    read=READ_COMMISSION,
    scope=OpenScope(),
    fields=(
        Field("id"),
        Field("name"),
        Field("pays_by"),
        Field(
            "tiers",
            expression="""(
    SELECT json_agg(json_build_object('above', (e.value->>'above')::numeric,
        'rate', (e.value->>'rate')::numeric) ORDER BY e.place)
    FROM jsonb_array_elements(t.tiers) WITH ORDINALITY AS e(value, place))""",
            kind=Kind.JSON,
        ),
        Field("overlay_rate", expression="trim_scale(t.overlay_rate)", kind=Kind.MONEY),
        Field("is_active"),
        Field("created_at"),
    ),
    filters=(is_true("is_active", "t.is_active"),),
    orderings=(Ordering("name", "t.name", Kind.TEXT),),
    default_ordering="name",
)

COMMISSIONS = Listing(
    name="commissions",
    model=CommissionEntry,
    read=READ_COMMISSION,
    scope=PersonScope(),
    fields=(
        Field("id"),
        Field("user", card=USER_NAMES),
        Field("plan", card_name=_PLAN_NAME),
        Field("period"),
        Field("kind"),
        Field("rate", expression="trim_scale(t.rate)", kind=Kind.MONEY),
        Field("base_amount", source="base"),
        Field("amount"),
        Field("currency"),
        Field("calculated_at"),
    ),
    filters=(OF_PERIOD, refers_to("user_id"), refers_to("plan_id")),
    orderings=(Ordering("calculated_at", "t.calculated_at", Kind.MOMENT),),
    default_ordering="-calculated_at",
)
