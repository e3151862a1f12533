"""What products and prices show, and what they can be narrowed by. Costs need a right."""

from apps.catalog.models import PriceBook, PriceBookEntry, Product
from apps.catalog.permissions import READ_PRODUCT, READ_PRODUCT_COST
from apps.core.rows.fields import Field, Kind
from apps.core.rows.filters import at_least, at_most, equals, is_true, refers_to
from apps.core.rows.listing import Listing, Ordering
from apps.core.rows.names import Names
from apps.core.rows.scope import OpenScope

PRODUCT_NAMES = Names("catalog_product")
PRICE_BOOK_NAMES = Names("catalog_pricebook")

PRODUCTS = Listing(
    name="products",
    model=Product,
    read=READ_PRODUCT,
    scope=OpenScope(),
    fields=(
        Field("id"),
        Field("code"),
        Field("name"),
        Field("family"),
        Field("description"),
        Field("attributes"),
        Field("is_active"),
        Field("tax_class"),
        Field("parent_product", card=PRODUCT_NAMES),
        Field("stock"),
        Field("unit_cost", right=READ_PRODUCT_COST),
        Field("cost_currency", right=READ_PRODUCT_COST),
        Field("created_at"),
        Field("updated_at"),
    ),
    filters=(
        equals("code"),
        equals("family"),
        equals("tax_class"),
        refers_to("parent_product_id"),
        is_true("is_active", 't."is_active"'),
        at_least("unit_cost_min", "unit_cost", "amount", right=READ_PRODUCT_COST),
        at_most("unit_cost_max", "unit_cost", "amount", right=READ_PRODUCT_COST),
    ),
    orderings=(
        Ordering("created_at", 't."created_at"', Kind.MOMENT),
        Ordering("name", 't."name"', Kind.TEXT),
        Ordering("code", 't."code"', Kind.TEXT),
        Ordering("unit_cost", 'COALESCE(t."unit_cost", 0)', Kind.MONEY),
    ),
)

PRICE_BOOKS = Listing(
    name="price_books",
    model=PriceBook,
    read=READ_PRODUCT,
    scope=OpenScope(),
    fields=(
        Field("id"),
        Field("name"),
        Field("currency"),
        Field("valid_from"),
        Field("valid_until"),
        Field("is_active"),
        Field("created_at"),
        Field("updated_at"),
    ),
    filters=(
        equals("currency"),
        is_true("is_active", 't."is_active"'),
    ),
    orderings=(
        Ordering("created_at", 't."created_at"', Kind.MOMENT),
        Ordering("name", 't."name"', Kind.TEXT),
        Ordering("valid_from", 't."valid_from"', Kind.DAY),
    ),
)

# Amounts in different currencies have no difference.
_MARGIN = "CASE WHEN p.cost_currency = b.currency THEN t.unit_price - p.unit_cost END"

PRICES = Listing(
    name="prices",
    model=PriceBookEntry,
    read=READ_PRODUCT,
    scope=OpenScope(),
    joins=(
        "JOIN catalog_product p ON p.id = t.product_id "
        "JOIN catalog_pricebook b ON b.id = t.price_book_id"
    ),
    fields=(
        Field("id"),
        Field("price_book", card=PRICE_BOOK_NAMES),
        Field("product", card_name="p.name"),
        Field("product_code", expression="p.code", kind=Kind.TEXT),
        Field("unit_price"),
        Field("currency", expression="b.currency", kind=Kind.TEXT),
        Field("min_quantity"),
        Field("unit_cost", expression="p.unit_cost", kind=Kind.MONEY, right=READ_PRODUCT_COST),
        Field("margin", expression=_MARGIN, kind=Kind.MONEY, right=READ_PRODUCT_COST),
        Field("created_at"),
        Field("updated_at"),
    ),
    filters=(
        refers_to("price_book_id"),
        refers_to("product_id"),
        at_least("unit_price_min", "unit_price", "amount"),
        at_most("unit_price_max", "unit_price", "amount"),
    ),
    orderings=(
        Ordering("created_at", 't."created_at"', Kind.MOMENT),
        Ordering("unit_price", 't."unit_price"', Kind.MONEY),
    ),
)
