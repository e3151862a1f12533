"""Which price holds for a quantity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True)
class Price:
    """What a unit of a product costs from a quantity on, and where that is written."""

    unit_price: Decimal
    currency: str
    min_quantity: int
    price_book_id: UUID
    price_book_name: str
    valid_from: date


def best_price(prices: Iterable[Price], quantity: Decimal) -> Price | None:
    """The price that holds for a quantity: of the newest price book that has one, its highest
    tier. Ties between price books of the same day go by name, so the answer is repeatable."""
    reached = [one for one in prices if one.min_quantity <= quantity]
    return min(
        reached,
        key=lambda one: (-one.valid_from.toordinal(), one.price_book_name, -one.min_quantity),
        default=None,
    )
