"""Pages of the catalog: products, price books and prices."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminIntegerFieldWidget

from apps.catalog.models import PriceBook, PriceBookEntry, Product
from apps.catalog.permissions import READ_PRODUCT, READ_PRODUCT_COST, WRITE_PRODUCT
from apps.catalog.services.prices import add_price_book, set_price
from apps.catalog.services.products import add_product, change_product, retire_product
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.inlines import ReadOnlyInline
from apps.core.admin.lists import ChoiceOf
from apps.core.admin.operations import Operation, OperationForm, picker
from apps.core.admin.visitors import may

COSTS = ("unit_cost", "cost_currency")


class PriceForm(OperationForm):
    """A product's price from a quantity on."""

    product_id = picker("Product", PriceBookEntry, "product", required=True)
    unit_price = forms.DecimalField(
        label="Price of a unit",
        min_value=0,
        max_digits=15,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    min_quantity = forms.IntegerField(
        label="From a quantity of",
        min_value=1,
        initial=1,
        widget=UnfoldAdminIntegerFieldWidget(),
    )


class SaleFilter(ChoiceOf):
    """What is sold, and what is not any more."""

    title = "sale"
    parameter_name = "is_active"
    choices_offered = (("True", "On sale"), ("False", "Retired"))


class PricesOfProduct(ReadOnlyInline):
    """What a product costs."""

    model = PriceBookEntry
    related = ("price_book",)
    fields = ("price_book", "min_quantity", "price")
    ordering = ("price_book", "min_quantity")
    verbose_name_plural = "Prices"

    @display(description="Price of a unit")
    def price(self, row: PriceBookEntry) -> Any:
        """In the book's currency."""
        return show.money(row.unit_price, row.price_book.currency)


class PricesOfBook(PricesOfProduct):
    """What is in a price book."""

    related = ("product", "price_book")
    fields = ("product", "min_quantity", "price")
    ordering = ("product__name", "min_quantity")


@admin.register(Product)
class ProductAdmin(ActorAdmin):
    """What is sold."""

    read = READ_PRODUCT
    write = WRITE_PRODUCT
    subject = "product_id"
    adds = staticmethod(add_product)
    changes = staticmethod(change_product)
    is_found_everywhere = True
    ordering = ("name", "id")
    list_display = ("title", "family", "activity", "stock")
    list_filter = (SaleFilter,)
    list_defer = ("description", "attributes")
    sortable_by = ()
    search_fields = ("name", "code")
    autocomplete_fields = ("parent_product",)
    inlines = (PricesOfProduct,)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("code", "name"),
                    ("family", "parent_product"),
                    "description",
                    ("stock", "tax_class"),
                    "is_active",
                )
            },
        ),
        ("Cost", {"fields": (COSTS,)}),
    )
    operations = (
        Operation(
            name="retire",
            label="Retire",
            permission=WRITE_PRODUCT,
            one=retire_product,
            offered=lambda product: product.is_active,
            in_bulk=True,
            asks_first=True,
            sentence="It can't be put on new deals any more; deals that have it keep it.",
            icon="archive",
        ),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Costs exist only for those with the right to them."""
        fieldsets = super().get_fieldsets(request, obj)
        may_see = may(request, READ_PRODUCT_COST)
        return fieldsets if may_see else [one for one in fieldsets if one[0] != "Cost"]

    @display(description="Product")
    def title(self, row: Product) -> Any:
        """Name and code."""
        return show.two_lines(row.name, row.code)

    @display(description="Sale")
    def activity(self, row: Product) -> Any:
        """Whether it is sold."""
        return show.badge("On sale", "success") if row.is_active else show.badge("Retired")


@admin.register(PriceBook)
class PriceBookAdmin(ActorAdmin):
    """Prices in one currency, for a time."""

    read = READ_PRODUCT
    write = WRITE_PRODUCT
    subject = "price_book_id"
    adds = staticmethod(add_price_book)
    ordering = ("-valid_from", "-id")
    list_display = ("name", "currency", "valid_from", "valid_until", "is_active")
    sortable_by = ()
    search_fields = ("name",)
    inlines = (PricesOfBook,)
    fields = ("name", "currency", ("valid_from", "valid_until"), "is_active")
    operations = (
        Operation(
            name="price",
            label="Set a price",
            permission=WRITE_PRODUCT,
            one=set_price,
            form=PriceForm,
            icon="sell",
            tone=ActionVariant.PRIMARY,
        ),
    )
