"""The catalog: what is sold, and at which prices."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from apps.catalog.querysets import PriceBookQuerySet, ProductQuerySet
from apps.core.history import audited
from apps.core.models import Record
from apps.core.money import CurrencyField, MoneyField


@audited("products")
class Product(Record):
    """Something that is sold. `code` is the source's `product_id`, such as `prod_123`.

    A variant (a size, a plan) is a product of its own with a parent. `unit_cost` is seen only
    with the right to it.
    """

    code = models.CharField(max_length=100)
    name = models.CharField(max_length=255)
    family = models.CharField(max_length=100, blank=True)
    description = models.TextField(blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    is_active = models.BooleanField(default=True)
    tax_class = models.CharField(max_length=50, blank=True)
    parent_product = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="variants"
    )
    stock = models.IntegerField(null=True, blank=True, help_text="Empty where none is kept.")
    unit_cost = MoneyField(null=True, blank=True)
    cost_currency = CurrencyField(blank=True)

    objects: ClassVar = ProductQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="product_newest"),
            models.Index(fields=["family"], name="product_by_family"),
        ]
        constraints = [
            models.UniqueConstraint("code", name="product_code_once"),
            models.CheckConstraint(condition=~Q(code=""), name="product_has_code"),
            models.CheckConstraint(
                condition=~Q(parent_product=F("id")), name="product_is_not_own_variant"
            ),
            models.CheckConstraint(
                condition=Q(stock=None) | Q(stock__gte=0), name="product_stock_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(unit_cost=None) | (Q(unit_cost__gte=0) & ~Q(cost_currency="")),
                name="product_cost_has_currency",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"


@audited("price_books")
class PriceBook(Record):
    """Prices in one currency that hold from one day to another."""

    name = models.CharField(max_length=255)
    currency = CurrencyField()
    valid_from = models.DateField(default=timezone.localdate)
    valid_until = models.DateField(null=True, blank=True, help_text="The last day.")
    is_active = models.BooleanField(default=True)

    objects: ClassVar = PriceBookQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["currency", "-valid_from"], name="price_book_by_currency")]
        constraints = [
            models.UniqueConstraint("name", name="price_book_name_once"),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_until__gte=F("valid_from")),
                name="price_book_dates",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.currency})"


@audited("prices")
class PriceBookEntry(Record):
    """The price of a product from a quantity on; the tier with the highest such quantity counts."""

    price_book = models.ForeignKey(PriceBook, on_delete=models.PROTECT, related_name="prices")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="prices")
    unit_price = MoneyField()
    min_quantity = models.IntegerField(default=1)

    class Meta:
        verbose_name_plural = "price book entries"
        indexes = [models.Index(fields=["-created_at", "-id"], name="price_newest")]
        constraints = [
            models.UniqueConstraint("price_book", "product", "min_quantity", name="price_once"),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="price_not_negative"),
            models.CheckConstraint(condition=Q(min_quantity__gte=1), name="price_min_quantity"),
        ]

    def __str__(self) -> str:
        return f"{self.product} at {self.unit_price} from {self.min_quantity}"
