"""What deals and their history show, and what they can be narrowed and ordered by."""

from __future__ import annotations

from apps.catalog.permissions import READ_PRODUCT_COST
from apps.core.rows.fields import Field, Kind
from apps.core.rows.filters import Filter, at_least, at_most, is_true, one_of, refers_to, search
from apps.core.rows.listing import Listing, Ordering
from apps.core.rows.scope import OpenScope, ParentScope
from apps.opportunities.models import Opportunity, OpportunityChange, OpportunitySplit, Pipeline
from apps.opportunities.permissions import READ_OPPORTUNITY
from apps.opportunities.rules import Category, SplitKind
from apps.opportunities.selectors import unknown_stages
from apps.territories.fields import TERRITORY_NAMES
from apps.users.fields import USER_NAMES


def _stages(text: str) -> list[str]:
    keys = text.split(",")
    if unknown := unknown_stages(keys):
        raise ValueError(f"There is no stage {', '.join(unknown)}.")
    return keys


_ACCOUNT_NAME = "(SELECT a.name FROM accounts_account a WHERE a.id = t.account_id)"
_LAST_OPEN_STAGE = "(SELECT s.key FROM opportunities_stage s WHERE s.id = t.last_open_stage_id)"
_AMOUNT_DIFFERS = "t.lines_total IS NOT NULL AND t.lines_total <> t.amount"
_LINES = """(
    SELECT coalesce(json_agg(json_build_object(
        'product_id', p.code, 'product', json_build_object('id', p.id, 'name', p.name),
        'quantity', l.quantity, 'unit_price', l.unit_price, 'discount', l.discount,
        'amount', l.amount, 'configuration', l.configuration) ORDER BY l.position), '[]')
    FROM opportunities_opportunityline l JOIN catalog_product p ON p.id = l.product_id
    WHERE l.opportunity_id = t.id)"""
PAYMENT_SCHEDULE = """(
    SELECT coalesce(json_agg(json_build_object(
        'due_on', e.value->>'due_on', 'amount', (e.value->>'amount')::numeric)
        ORDER BY e.place), '[]')
    FROM jsonb_array_elements(t.payment_schedule) WITH ORDINALITY AS e(value, place))"""
# Unknown as long as the cost of any line is.
_MARGIN = """(
    SELECT CASE WHEN bool_and(l.unit_cost IS NOT NULL)
           THEN sum(l.amount - l.quantity * l.unit_cost) END
    FROM opportunities_opportunityline l WHERE l.opportunity_id = t.id)"""

OPPORTUNITIES = Listing(
    name="opportunities",
    model=Opportunity,
    read=READ_OPPORTUNITY,
    condition='t."deleted_at" IS NULL',
    joins="JOIN opportunities_pipeline p ON p.id = t.pipeline_id",
    fields=(
        Field("id"),
        Field("name"),
        Field("account", card_name=_ACCOUNT_NAME),
        Field("pipeline", expression="p.key", kind=Kind.TEXT),
        Field("stage", source="stage_key"),
        Field("is_open", expression="t.kind = 'open'", kind=Kind.FLAG),
        Field("probability"),
        Field("amount"),
        Field("currency"),
        Field("forecast_category"),
        Field("expected_close_date"),
        Field("actual_close_date"),
        Field("owner", card=USER_NAMES),
        Field("territory", card=TERRITORY_NAMES),
        Field("deal_score"),
        Field("next_step"),
        Field("version"),
        Field("created_at"),
        Field("updated_at"),
        Field("lead_id", source="lead", detail=True),
        Field("probability_source", detail=True),
        Field("forecast_category_source", detail=True),
        Field("products", expression=_LINES, kind=Kind.JSON, detail=True),
        Field("lines_total", detail=True),
        Field("amount_differs", expression=_AMOUNT_DIFFERS, kind=Kind.FLAG, detail=True),
        Field("margin", expression=_MARGIN, kind=Kind.MONEY, right=READ_PRODUCT_COST, detail=True),
        Field("stage_entered_at", detail=True),
        Field("last_open_stage", expression=_LAST_OPEN_STAGE, kind=Kind.TEXT, detail=True),
        Field("won_at", detail=True),
        Field("lost_at", detail=True),
        Field("push_count", detail=True),
        Field("loss_reason", detail=True),
        Field("close_reason", detail=True),
        Field("deal_score_reasons", detail=True),
        Field("deal_score_source", detail=True),
        Field("deal_score_version", detail=True),
        Field("contract_term", detail=True),
        Field("start_date", detail=True),
        Field("payment_terms", detail=True),
        Field("billing_frequency", detail=True),
        Field("payment_schedule", expression=PAYMENT_SCHEDULE, kind=Kind.JSON, detail=True),
        Field("special_requirements", detail=True),
        Field("priority", detail=True),
        Field("external_source", detail=True),
        Field("external_id", detail=True),
        Field("metadata", detail=True),
        Field("archived_at", detail=True),
    ),
    filters=(
        Filter(
            "stage",
            't."stage_key" = ANY(%s)',
            _stages,
            "One or more stages, separated by commas.",
        ),
        Filter(
            "pipeline",
            't."pipeline_id" = (SELECT w.id FROM opportunities_pipeline w WHERE w.key = %s)',
            str,
            "The key of a pipeline.",
        ),
        is_true("is_open", "t.\"kind\" = 'open'"),
        one_of("forecast_category", Category),
        refers_to("owner_id"),
        refers_to("territory_id"),
        refers_to("account_id"),
        refers_to("lead_id"),
        at_least("expected_close_after", "expected_close_date", "day"),
        at_most("expected_close_before", "expected_close_date", "day"),
        at_least("amount_min", "amount", "amount"),
        at_most("amount_max", "amount", "amount"),
        at_least("created_after", "created_at", "moment"),
        at_most("created_before", "created_at", "moment"),
        search(),
    ),
    orderings=(
        Ordering("created_at", 't."created_at"', Kind.MOMENT),
        Ordering("updated_at", 't."updated_at"', Kind.MOMENT),
        Ordering("amount", 't."amount"', Kind.MONEY),
        Ordering(
            "expected_close_date",
            "COALESCE(t.\"expected_close_date\", 'infinity'::date)",
            Kind.DAY,
        ),
        Ordering("deal_score", 't."deal_score"', Kind.WHOLE_NUMBER),
    ),
)


HISTORY = Listing(
    name="opportunity_changes",
    model=OpportunityChange,
    read=READ_OPPORTUNITY,
    scope=ParentScope("opportunities_opportunity", "opportunity_id"),
    joins=(
        "LEFT JOIN opportunities_stage f ON f.id = t.stage_from_id "
        "JOIN opportunities_stage s ON s.id = t.stage_to_id"
    ),
    fields=(
        Field("id"),
        Field("seq"),
        Field("kind"),
        Field("at"),
        Field("actor", source="actor_id", card=USER_NAMES),
        Field("door"),
        Field("correlation_id"),
        Field("stage_from", expression="f.key", kind=Kind.TEXT),
        Field("stage_to", expression="s.key", kind=Kind.TEXT),
        Field("amount_from"),
        Field("amount_to"),
        Field("currency"),
        Field("expected_close_date_from", source="close_from"),
        Field("expected_close_date_to", source="close_to"),
        Field("owner_from", card=USER_NAMES),
        Field("owner_to", card=USER_NAMES),
        Field("probability_from"),
        Field("probability_to"),
        Field("forecast_category_from", source="category_from"),
        Field("forecast_category_to", source="category_to"),
        Field("notes"),
    ),
    filters=(
        refers_to("opportunity_id"),
        one_of("kind", OpportunityChange.Kind),
        at_least("after", "at", "moment"),
        at_most("before", "at", "moment"),
    ),
    orderings=(Ordering("seq", 't."seq"', Kind.WHOLE_NUMBER),),
    default_ordering="-seq",
)


SPLITS = Listing(
    name="opportunity_splits",
    model=OpportunitySplit,
    read=READ_OPPORTUNITY,
    scope=ParentScope("opportunities_opportunity", "opportunity_id"),
    fields=(
        Field("id"),
        Field("user", card=USER_NAMES),
        Field("kind"),
        Field("percentage"),
        Field("updated_at"),
    ),
    filters=(refers_to("opportunity_id"), one_of("kind", SplitKind)),
    orderings=(Ordering("percentage", 't."percentage"', Kind.MONEY),),
    default_ordering="-percentage",
)


_STAGES = """(
    SELECT coalesce(json_agg(json_build_object(
        'key', s.key, 'name', s.name, 'kind', s.kind, 'probability', s.probability,
        'forecast_category', s.forecast_category, 'expected_days', s.expected_days,
        'required_fields', s.required_fields, 'forward', s.forward) ORDER BY s.position), '[]')
    FROM opportunities_stage s WHERE s.pipeline_id = t.id)"""

PIPELINES = Listing(
    name="pipelines",
    model=Pipeline,
    read=READ_OPPORTUNITY,
    scope=OpenScope(),
    fields=(
        Field("id"),
        Field("key"),
        Field("name"),
        Field("is_default"),
        Field("is_active"),
        Field("stages", expression=_STAGES, kind=Kind.JSON),
    ),
    filters=(is_true("is_active", 't."is_active"'),),
    orderings=(Ordering("name", 't."name"', Kind.TEXT),),
    default_ordering="name",
)
