"""What happens to the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from apps.core.events import event

TOPIC = "sales.catalog"


@event("product.created", topic=TOPIC, about="product_id")
@dataclass(frozen=True, kw_only=True)
class ProductAdded:
    """A product can be sold."""

    product_id: UUID
    code: str
    name: str
    family: str
    parent_product_id: UUID | None


@event("product.updated", topic=TOPIC, about="product_id")
@dataclass(frozen=True, kw_only=True)
class ProductChanged:
    """Facts of a product changed; `is_active` among them when it was retired or brought back."""

    product_id: UUID
    changed: tuple[str, ...]


@event("price_book.created", topic=TOPIC, about="price_book_id")
@dataclass(frozen=True, kw_only=True)
class PriceBookAdded:
    """There are prices in a currency from a day on."""

    price_book_id: UUID
    name: str
    currency: str
    valid_from: date
    valid_until: date | None


@event("price.changed", topic=TOPIC, about="price_book_id")
@dataclass(frozen=True, kw_only=True)
class PriceSet:
    """A product costs something else from a quantity on."""

    price_book_id: UUID
    product_id: UUID
    min_quantity: int
    unit_price: Decimal
    previous_unit_price: Decimal | None
    currency: str
