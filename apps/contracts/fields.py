"""What contracts show, and what they are narrowed by."""

from __future__ import annotations

from apps.contracts.models import Contract
from apps.contracts.permissions import READ_CONTRACT
from apps.contracts.rules import ContractStatus
from apps.core.rows.fields import Field, Kind
from apps.core.rows.filters import at_least, at_most, equals, one_of, refers_to
from apps.core.rows.listing import Listing, Ordering
from apps.opportunities.fields import PAYMENT_SCHEDULE
from apps.territories.fields import TERRITORY_NAMES
from apps.users.fields import USER_NAMES

_DEAL_NAME = "(SELECT o.name FROM opportunities_opportunity o WHERE o.id = t.opportunity_id)"
_ACCOUNT_NAME = "(SELECT a.name FROM accounts_account a WHERE a.id = t.account_id)"

_PRODUCTS = """(
    SELECT coalesce(json_agg(json_build_object(
        'product_id', e.value->>'product_id', 'product_name', e.value->>'product_name',
        'quantity', (e.value->>'quantity')::int, 'unit_price', (e.value->>'unit_price')::numeric,
        'discount', (e.value->>'discount')::numeric, 'amount', (e.value->>'amount')::numeric,
        'configuration', e.value->'configuration') ORDER BY e.place), '[]')
    FROM jsonb_array_elements(t.products) WITH ORDINALITY AS e(value, place))"""

CONTRACTS = Listing(
    name="contracts",
    model=Contract,
    read=READ_CONTRACT,
    fields=(
        Field("id"),
        Field("status"),
        Field("opportunity", card_name=_DEAL_NAME),
        Field("account", card_name=_ACCOUNT_NAME),
        Field("owner", card=USER_NAMES),
        Field("territory", card=TERRITORY_NAMES),
        Field("amount"),
        Field("currency"),
        Field("contract_term"),
        Field("start_date"),
        Field("end_date"),
        Field("payment_terms"),
        Field("billing_frequency"),
        Field("external_system"),
        Field("external_id"),
        Field("acknowledged_at"),
        Field("voided_at"),
        Field("created_at"),
        Field("updated_at"),
        Field("payment_schedule", expression=PAYMENT_SCHEDULE, kind=Kind.JSON, detail=True),
        Field("products", expression=_PRODUCTS, kind=Kind.JSON, detail=True),
    ),
    filters=(
        one_of("status", ContractStatus),
        refers_to("opportunity_id"),
        refers_to("account_id"),
        refers_to("owner_id"),
        refers_to("territory_id"),
        equals("external_id"),
        at_least("ends_after", "end_date", "day"),
        at_most("ends_before", "end_date", "day"),
    ),
    orderings=(
        Ordering("created_at", 't."created_at"', Kind.MOMENT),
        Ordering("end_date", 't."end_date"', Kind.DAY),
    ),
)
