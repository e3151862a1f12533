"""Price books and the prices in them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

from django.utils import timezone

from apps.catalog.errors import PriceBookNameTaken, ProductRetired
from apps.catalog.events import PriceBookAdded, PriceSet
from apps.catalog.models import PriceBook, PriceBookEntry, Product
from apps.catalog.permissions import WRITE_PRODUCT
from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.errors import InvalidInput, NotFound
from apps.core.journal import publish
from apps.core.periods import organisation_day
from apps.core.permissions import require


@command
def add_price_book(
    *,
    name: str,
    currency: str,
    actor: Actor,
    valid_from: date | None = None,
    valid_until: date | None = None,
    is_active: bool = True,
) -> PriceBook:
    """Start a list of prices in one currency, `valid_until` being the last day.

    Raises NotAllowed, InvalidInput, PriceBookNameTaken.
    """
    require(actor, WRITE_PRODUCT)
    starts_on = valid_from or organisation_day(timezone.now())
    if valid_until is not None and valid_until < starts_on:
        raise InvalidInput.field("valid_until", "The last day lies before the first.")
    _lock_price_books()
    if PriceBook.objects.filter(name=name).exists():
        raise PriceBookNameTaken
    book = PriceBook.objects.create(
        name=name,
        currency=currency,
        valid_from=starts_on,
        valid_until=valid_until,
        is_active=is_active,
    )
    publish(
        PriceBookAdded(
            price_book_id=book.pk,
            name=book.name,
            currency=book.currency,
            valid_from=book.valid_from,
            valid_until=book.valid_until,
        ),
        actor=actor,
    )
    return book


@command
def set_price(
    *,
    price_book_id: UUID,
    product_id: UUID,
    unit_price: Decimal,
    actor: Actor,
    min_quantity: int = 1,
) -> PriceBookEntry:
    """Say what a unit of a product costs from a quantity on; a tier that exists gets the price.

    Raises NotFound, NotAllowed, InvalidInput, ProductRetired.
    """
    require(actor, WRITE_PRODUCT)
    book = PriceBook.objects.select_for_update(of=("self",)).filter(pk=price_book_id).first()
    if book is None:
        raise NotFound
    product = Product.objects.filter(pk=product_id).first()
    if product is None:
        raise InvalidInput.field("product_id", "There is no such product.")
    if not product.is_active:
        raise ProductRetired
    if min_quantity < 1:
        raise InvalidInput.field("min_quantity", "Give 1 or more.")
    tier = PriceBookEntry.objects.filter(
        price_book=book, product=product, min_quantity=min_quantity
    ).first()
    previous = tier.unit_price if tier else None
    if tier is None:
        tier = PriceBookEntry(price_book=book, product=product, min_quantity=min_quantity)
    if previous == unit_price:
        return tier
    tier.unit_price = unit_price
    tier.save()
    publish(
        PriceSet(
            price_book_id=book.pk,
            product_id=product.pk,
            min_quantity=min_quantity,
            unit_price=unit_price,
            previous_unit_price=previous,
            currency=book.currency,
        ),
        actor=actor,
    )
    return tier


def _lock_price_books() -> None:
    """One new price book at a time: two at once could take one name."""
    take_turn("price books")
