"""Answers about prices."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

from apps.catalog.models import PriceBook, PriceBookEntry
from apps.catalog.rules import Price, best_price


def price_of(
    product_id: UUID,
    *,
    quantity: Decimal | int,
    day: date,
    currency: str = "",
    price_book_id: UUID | None = None,
) -> Price | None:
    """What a unit of a product on sale costs at a quantity on a day.

    Args:
        product_id: of the product.
        quantity: decides the tier: the highest that it reaches.
        day: on which the price book must be valid.
        currency: looks only into price books of this currency.
        price_book_id: looks only into this one.

    Returns:
        The price in the newest price book that has one; None where there is none.
    """
    books = PriceBook.objects.valid_on(day)
    if price_book_id is not None:
        books = books.filter(pk=price_book_id)
    if currency:
        books = books.filter(currency=currency)
    entries = PriceBookEntry.objects.filter(
        product_id=product_id, product__is_active=True, price_book__in=books
    ).select_related("price_book")
    return best_price((_price(one) for one in entries), Decimal(quantity))


def _price(entry: PriceBookEntry) -> Price:
    book = entry.price_book
    return Price(
        unit_price=entry.unit_price,
        currency=book.currency,
        min_quantity=entry.min_quantity,
        price_book_id=book.pk,
        price_book_name=book.name,
        valid_from=book.valid_from,
    )
