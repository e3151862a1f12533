"""Money in answers: JSON numbers with two decimals, exact to the cent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
from rest_framework import serializers


class Amount(serializers.DecimalField):
    """An amount in an answer; `cents` renders it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=20, decimal_places=2, coerce_to_string=False, **options)


def cents(amount: Decimal | None) -> orjson.Fragment | None:
    """An amount as a JSON number; nothing for none."""
    return None if amount is None else orjson.Fragment(f"{amount:.2f}")
