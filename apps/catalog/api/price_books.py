"""`/price-books`: prices by currency and time."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from apps.catalog.fields import PRICE_BOOKS, PRICES
from apps.catalog.services.prices import add_price_book, set_price
from apps.core.actors import Actor
from apps.core.api.bodies import Body, Currency, Flag, Identifier, Money, Text, WholeNumber
from apps.core.api.endpoint import Endpoint, listed, operation, shown
from apps.core.api.schema import row_serializer

TAGS = ("catalog",)


class PriceBookFacts(Body):
    """A price book; `valid_until` is its last day."""

    name = Text(max_length=255)
    currency = Currency()
    valid_from = serializers.DateField(required=False, allow_null=True)
    valid_until = serializers.DateField(required=False, allow_null=True)
    is_active = Flag(required=False)


class PriceBookReceipt(serializers.Serializer):
    """A price book that was added."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    currency = serializers.CharField()
    valid_from = serializers.DateField()
    created_at = serializers.DateTimeField()


class PriceFacts(Body):
    """What a unit of a product costs, from a quantity on."""

    product_id = Identifier()
    unit_price = Money()
    min_quantity = WholeNumber(min_value=1, required=False)


class PriceBookCollection(Endpoint):
    """`/price-books`."""

    get = listed(PRICE_BOOKS, summary="Price books", tags=TAGS)

    @operation(
        summary="Add a price book",
        body=PriceBookFacts,
        answer=PriceBookReceipt,
        status=201,
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        book = add_price_book(**body, actor=actor)
        return {
            "id": book.pk,
            "name": book.name,
            "currency": book.currency,
            "valid_from": book.valid_from,
            "created_at": book.created_at,
        }


class PriceBookItem(Endpoint):
    """`/price-books/{price_book_id}`."""

    get = shown(PRICE_BOOKS, summary="A price book", tags=TAGS)


class PriceBookPrices(Endpoint):
    """`/price-books/{price_book_id}/prices`."""

    get = listed(
        PRICES,
        within=PRICE_BOOKS,
        stated="price_book_id",
        summary="The prices of a price book",
        tags=TAGS,
    )

    @operation(
        summary="Set the price of a product from a quantity on",
        body=PriceFacts,
        answer=row_serializer(PRICES),
        tags=TAGS,
    )
    def put(self, actor: Actor, price_book_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        price = set_price(price_book_id=price_book_id, **body, actor=actor)
        return PRICES.one(actor, price.pk)
