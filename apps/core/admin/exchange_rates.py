"""The page of exchange rates."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from unfold.decorators import display

from apps.core.admin.base import ActorAdmin
from apps.core.exchange_rates import set_exchange_rate
from apps.core.models import ExchangeRate
from apps.core.permissions import READ_EXCHANGE_RATE, SET_EXCHANGE_RATE


@admin.register(ExchangeRate)
class ExchangeRateAdmin(ActorAdmin):
    """What other currencies are worth; the latest at or before a day counts on it."""

    read = READ_EXCHANGE_RATE
    write = SET_EXCHANGE_RATE
    adds = staticmethod(set_exchange_rate)
    ordering = ("-valid_from", "currency", "-id")
    list_display = ("currency", "valid_from", "worth")
    sortable_by = ()
    search_fields = ("currency",)
    add_fieldsets = ((None, {"fields": (("currency", "valid_from"), "rate")}),)
    fields = (("currency", "valid_from"), "worth")
    readonly_fields = ("worth",)

    @display(description="One unit is worth")
    def worth(self, row: ExchangeRate) -> Any:
        """In the organisation's currency."""
        return f"{row.rate.normalize():f} {settings.DEFAULT_CURRENCY}"
