"""Products: added, changed and retired."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.catalog.errors import ProductCodeTaken, VariantOfItself
from apps.catalog.events import ProductAdded, ProductChanged
from apps.catalog.models import Product
from apps.catalog.permissions import READ_PRODUCT_COST, WRITE_PRODUCT
from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.errors import InvalidInput, NotFound
from apps.core.journal import publish
from apps.core.permissions import require

_COSTS = frozenset({"unit_cost", "cost_currency"})


@command
def add_product(*, actor: Actor, **facts: Any) -> Product:
    """Add something that is sold.

    Args:
        actor: needs `product:write`, and `product_cost:read` to state a cost.
        facts: the columns of `Product`; `parent_product_id` makes it a variant.

    Raises:
        NotAllowed, InvalidInput, ProductCodeTaken.
    """
    require(actor, WRITE_PRODUCT)
    _lock_catalog()
    product = Product()
    _apply(product, facts, actor)
    product.save(force_insert=True)
    publish(
        ProductAdded(
            product_id=product.pk,
            code=product.code,
            name=product.name,
            family=product.family,
            parent_product_id=product.parent_product_id,
        ),
        actor=actor,
    )
    return product


@command
def change_product(*, product_id: UUID, actor: Actor, **facts: Any) -> Product:
    """Change what is known of a product; deals keep what they agreed on.

    Raises NotFound, NotAllowed, InvalidInput, ProductCodeTaken, VariantOfItself.
    """
    require(actor, WRITE_PRODUCT)
    _lock_catalog()
    product = Product.objects.select_for_update(of=("self",)).filter(pk=product_id).first()
    if product is None:
        raise NotFound
    changed = _apply(product, facts, actor)
    if changed:
        product.save()
        publish(ProductChanged(product_id=product.pk, changed=tuple(changed)), actor=actor)
    return product


def retire_product(*, product_id: UUID, actor: Actor) -> Product:
    """Sell a product no more; deals that have it keep it. Raises NotFound, NotAllowed."""
    return change_product(product_id=product_id, is_active=False, actor=actor)


def _lock_catalog() -> None:
    """One change of products at a time: two at once could take one code or close a loop."""
    take_turn("catalog")


def _apply(product: Product, facts: Mapping[str, Any], actor: Actor) -> list[str]:
    """Check facts and put them on the row; returns the names of those that changed."""
    if _COSTS & facts.keys():
        require(actor, READ_PRODUCT_COST)
    _check_parent(product, facts.get("parent_product_id"))
    changed = []
    for name, value in facts.items():
        if getattr(product, name) != value:
            setattr(product, name, value)
            changed.append(name)
    if product.unit_cost is not None and not product.cost_currency:
        product.cost_currency = settings.DEFAULT_CURRENCY
    if Product.objects.filter(code=product.code).exclude(pk=product.pk).exists():
        raise ProductCodeTaken
    return changed


def _check_parent(product: Product, parent_id: UUID | None) -> None:
    if parent_id is None:
        return
    if not Product.objects.filter(pk=parent_id).exists():
        raise InvalidInput.field("parent_product_id", "There is no such product.")
    while parent_id is not None:
        if parent_id == product.pk:
            raise VariantOfItself
        parent_id = Product.objects.values_list("parent_product_id", flat=True).get(pk=parent_id)
