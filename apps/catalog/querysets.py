"""Reads of the catalog. Everybody who may read it sees all of it."""

from __future__ import annotations

from datetime import date
from typing import Self

from django.db import models
from django.db.models import Q


class ProductQuerySet(models.QuerySet):
    """Reads of products."""

    def on_sale(self) -> Self:
        """Those that can be put on a new deal."""
        return self.filter(is_active=True)


class PriceBookQuerySet(models.QuerySet):
    """Reads of price books."""

    def valid_on(self, day: date) -> Self:
        """The active ones whose prices hold on a day."""
        return self.filter(
            Q(valid_until=None) | Q(valid_until__gte=day), is_active=True, valid_from__lte=day
        )
