"""What is sold."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import factory
from factory.django import DjangoModelFactory

from apps.catalog.models import PriceBook, PriceBookEntry, Product


class ProductFactory(DjangoModelFactory):
    """A product without costs."""

    class Meta:
        model = Product

    code = factory.Sequence(lambda number: f"prod_{number}")
    name = factory.Sequence(lambda number: f"Product {number}")


class PriceBookFactory(DjangoModelFactory):
    """Prices in dollars since 2026."""

    class Meta:
        model = PriceBook

    name = factory.Sequence(lambda number: f"Price book {number}")
    currency = "USD"
    valid_from = date(2026, 1, 1)


class PriceBookEntryFactory(DjangoModelFactory):
    """A price of one hundred."""

    class Meta:
        model = PriceBookEntry

    price_book = factory.SubFactory(PriceBookFactory)
    product = factory.SubFactory(ProductFactory)
    unit_price = Decimal("100.00")
