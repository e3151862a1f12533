"""What a lead shows, and what leads can be narrowed and ordered by."""

from apps.core.consents import OPTED_OUT_OF_SALE
from apps.core.rows.fields import Field, Kind
from apps.core.rows.filters import (
    at_least,
    at_most,
    equals,
    has_email,
    has_phone,
    is_true,
    one_of,
    refers_to,
    search,
)
from apps.core.rows.listing import Listing, Ordering
from apps.leads.models import Lead
from apps.leads.permissions import READ_LEAD
from apps.territories.fields import TERRITORY_NAMES
from apps.users.fields import USER_NAMES

LEADS = Listing(
    name="leads",
    model=Lead,
    read=READ_LEAD,
    condition='t."deleted_at" IS NULL AND t."merged_into_id" IS NULL',
    fields=(
        Field("id"),
        Field("status"),
        Field("source"),
        Field("first_name"),
        Field("last_name"),
        Field("email"),
        Field("phone"),
        Field("company"),
        Field("title"),
        Field("industry"),
        Field("country"),
        Field("city"),
        Field("score"),
        Field("assigned_to", source="owner", card=USER_NAMES),
        Field("territory", card=TERRITORY_NAMES),
        Field("last_activity_at"),
        Field("created_at"),
        Field("updated_at"),
        Field("employee_count", detail=True),
        Field("annual_revenue", detail=True),
        Field("currency", detail=True),
        Field("state", detail=True),
        Field("postal_code", detail=True),
        Field("external_source", detail=True),
        Field("external_id", detail=True),
        Field("campaign_id", detail=True),
        Field("attribution", detail=True),
        Field("metadata", detail=True),
        Field("marketing_score", detail=True),
        Field("score_reasons", detail=True),
        Field("score_version", detail=True),
        Field("scored_at", detail=True),
        Field("routing_reason", detail=True),
        Field("status_reason", detail=True),
        Field("converted_opportunity_id", detail=True),
        Field("converted_account_id", detail=True),
        Field("converted_at", detail=True),
        Field("opted_out_of_sale", expression=OPTED_OUT_OF_SALE, kind=Kind.FLAG, detail=True),
        Field("version", detail=True),
    ),
    filters=(
        one_of("status", Lead.Status),
        refers_to("assigned_to", column="owner_id"),
        refers_to("territory_id"),
        at_least("score_min", "score", "whole number"),
        at_most("score_max", "score", "whole number"),
        equals("source"),
        equals("country"),
        equals("industry"),
        has_email(),
        has_phone(),
        at_least("created_after", "created_at", "moment"),
        at_most("created_before", "created_at", "moment"),
        is_true("unrouted", 't."owner_id" IS NULL AND t."territory_id" IS NULL'),
        search(),
    ),
    orderings=(
        Ordering("created_at", 't."created_at"', Kind.MOMENT),
        Ordering("updated_at", 't."updated_at"', Kind.MOMENT),
        Ordering("score", 't."score"', Kind.WHOLE_NUMBER),
    ),
)
