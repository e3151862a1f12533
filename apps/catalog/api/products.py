"""`/products`: what is sold."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from apps.catalog.fields import PRODUCTS
from apps.catalog.services.products import add_product, change_product, retire_product
from apps.core.actors import Actor
from apps.core.api.bodies import (
    Body,
    Currency,
    Flag,
    Identifier,
    JSONObject,
    Money,
    Text,
    WholeNumber,
)
from apps.core.api.endpoint import Endpoint, listed, operation, shown
from apps.core.api.schema import row_serializer

TAGS = ("catalog",)


class ProductFacts(Body):
    """A product; what is left out keeps its value or stays empty."""

    code = Text(max_length=100)
    name = Text(max_length=255)
    family = Text(max_length=100, required=False, allow_blank=True)
    description = Text(max_length=10_000, required=False, allow_blank=True)
    attributes = JSONObject(required=False)
    is_active = Flag(required=False)
    tax_class = Text(max_length=50, required=False, allow_blank=True)
    parent_product_id = Identifier(required=False, allow_null=True)
    stock = WholeNumber(required=False, allow_null=True)
    unit_cost = Money(required=False, allow_null=True)
    cost_currency = Currency(required=False)


class ProductChange(ProductFacts):
    """A change of a product: any of its facts."""

    code = Text(max_length=100, required=False)
    name = Text(max_length=255, required=False)


class ProductReceipt(serializers.Serializer):
    """A product that was added."""

    id = serializers.UUIDField()
    code = serializers.CharField()
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class ProductCollection(Endpoint):
    """`/products`."""

    get = listed(PRODUCTS, summary="Products", tags=TAGS)

    @operation(
        summary="Add a product", body=ProductFacts, answer=ProductReceipt, status=201, tags=TAGS
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        product = add_product(**body, actor=actor)
        return {
            "id": product.pk,
            "code": product.code,
            "is_active": product.is_active,
            "created_at": product.created_at,
        }


class ProductItem(Endpoint):
    """`/products/{product_id}`."""

    get = shown(PRODUCTS, summary="A product", tags=TAGS)

    @operation(
        summary="Change a product",
        body=ProductChange,
        answer=row_serializer(PRODUCTS),
        tags=TAGS,
    )
    def put(self, actor: Actor, product_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        change_product(product_id=product_id, **body, actor=actor)
        return PRODUCTS.one(actor, product_id)

    patch = put

    @operation(summary="Retire a product", status=204, tags=TAGS)
    def delete(self, actor: Actor, product_id: UUID) -> None:
        retire_product(product_id=product_id, actor=actor)
