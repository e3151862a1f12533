"""The products on a deal."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold.decorators import display

from apps.catalog.permissions import READ_PRODUCT_COST
from apps.core.admin import display as show
from apps.core.admin.inlines import ReadOnlyInline
from apps.core.admin.visitors import may
from apps.opportunities.models import (
    OpportunityLine,
)


class LinesInline(ReadOnlyInline):
    """The products on a deal."""

    model = OpportunityLine
    related = ("product", "opportunity")
    ordering = ("position",)
    fields = ("product", "quantity", "price", "discount_share", "total", "margin")
    verbose_name_plural = "Products"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Margins exist only for those with the right to them."""
        may_see = may(request, READ_PRODUCT_COST)
        return self.fields if may_see else self.fields[:-1]

    @display(description="Price of a unit")
    def price(self, row: OpportunityLine) -> Any:
        """What a unit costs."""
        return show.money(row.unit_price, row.opportunity.currency)

    @display(description="Discount")
    def discount_share(self, row: OpportunityLine) -> str:
        """In percent."""
        return f"{row.discount * 100:.2f} %" if row.discount else show.NOTHING

    @display(description="Amount")
    def total(self, row: OpportunityLine) -> Any:
        """What the line comes to."""
        return show.money(row.amount, row.opportunity.currency)

    @display(description="Margin")
    def margin(self, row: OpportunityLine) -> Any:
        """What is left after the cost."""
        if row.unit_cost is None:
            return show.NOTHING
        return show.money(row.amount - row.quantity * row.unit_cost, row.opportunity.currency)
