"""What is on a deal: products, quantities and prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from apps.catalog.models import Product
from apps.catalog.selectors import price_of
from apps.core.errors import InvalidInput
from apps.core.money import LARGEST, ZERO
from apps.core.periods import organisation_day
from apps.opportunities.models import Opportunity, OpportunityLine
from apps.opportunities.rules import line_amount
from apps.opportunities.services.edits import Edit


def write_lines(edit: Edit, products: Sequence[Mapping[str, Any]]) -> None:
    """Put exactly these products on a deal in hand, and their total on its row.

    Args:
        edit: the deal; it need not be in the database yet.
        products: with `product_id` (code or id), `quantity`, and optionally `unit_price` (without
            it, the price book's), `discount` (0 to 1) and `configuration`.

    Raises:
        InvalidInput, naming the line.
    """
    deal = edit.deal
    before = list(deal.lines.order_by("position")) if not edit.is_new else []
    known = _products(products, may_be_retired={one.product_id for one in before})
    lines = [
        _line(deal, position, given, known[str(given["product_id"])])
        for position, given in enumerate(products, start=1)
    ]
    if [_content(one) for one in lines] == [_content(one) for one in before]:
        return
    OpportunityLine.objects.filter(opportunity=deal).delete()
    OpportunityLine.objects.bulk_create(lines)
    deal.lines_total = sum((one.amount for one in lines), ZERO) if lines else None
    if deal.lines_total is not None and deal.lines_total > LARGEST:
        raise InvalidInput.field("products", f"Together they come to more than {LARGEST}.")
    edit.also_changed.append("products")


def _products(
    given: Sequence[Mapping[str, Any]], *, may_be_retired: set[UUID]
) -> dict[str, Product]:
    """The products by the code or id they were asked for."""
    wanted = [str(one["product_id"]) for one in given]
    ids = [UUID(one) for one in wanted if _is_id(one)]
    found = Product.objects.filter(Q(code__in=wanted) | Q(pk__in=ids))
    known: dict[str, Product] = {}
    for one in found:
        if one.is_active or one.pk in may_be_retired:
            known[one.code] = known[str(one.pk)] = one
    for position, name in enumerate(wanted):
        if name not in known:
            raise _wrong(position, "product_id", "There is no such product on sale.")
    return known


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _line(
    deal: Opportunity, position: int, given: Mapping[str, Any], product: Product
) -> OpportunityLine:
    quantity, discount = given["quantity"], given.get("discount", ZERO)
    unit_price = given.get("unit_price")
    if unit_price is None:
        unit_price = _list_price(deal, position, product, quantity)
    amount = line_amount(quantity=quantity, unit_price=unit_price, discount=discount)
    if amount > LARGEST:
        raise _wrong(position - 1, "quantity", f"The line comes to more than {LARGEST}.")
    is_comparable = product.cost_currency == deal.currency
    return OpportunityLine(
        opportunity=deal,
        position=position,
        product=product,
        quantity=quantity,
        unit_price=unit_price,
        discount=discount,
        amount=amount,
        unit_cost=product.unit_cost if is_comparable else None,
        configuration=given.get("configuration", {}),
    )


def _list_price(deal: Opportunity, position: int, product: Product, quantity: int) -> Decimal:
    price = price_of(
        product.pk,
        quantity=quantity,
        day=organisation_day(timezone.now()),
        currency=deal.currency,
    )
    if price is None:
        raise _wrong(position - 1, "unit_price", f"No price book has it in {deal.currency}.")
    return price.unit_price


def _content(line: OpportunityLine) -> tuple[Any, ...]:
    """What makes two lines the same line."""
    return (
        line.product_id,
        line.quantity,
        line.unit_price,
        line.discount,
        line.configuration,
    )


def _wrong(index: int, name: str, sentence: str) -> InvalidInput:
    return InvalidInput.field(f"products[{index}].{name}", sentence)
