"""Money: decimal, half-even to two places, with its currency beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

import msgspec
import pycountry
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

CENT = Decimal("0.01")
ZERO = Decimal("0.00")
LARGEST = Decimal("9999999999999.99")

# Codes for tests and for no currency at all.
_NO_MONEY = {"XTS", "XXX"}
CURRENCIES: frozenset[str] = frozenset(
    currency.alpha_3 for currency in pycountry.currencies if currency.alpha_3 not in _NO_MONEY
)


def to_cents(amount: Decimal) -> Decimal:
    """The amount rounded half-even to two places."""
    return amount.quantize(CENT, rounding=ROUND_HALF_EVEN)


def shared(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """An amount in cents parted by weights: the parts come to it exactly, and each is less than a
    cent off. The cents left over go to the largest remainders, the first of equal ones first."""
    whole = sum(weights)
    if not whole:
        return [ZERO for _ in weights]
    exact = [amount * weight / whole for weight in weights]
    parts = [one.quantize(CENT, rounding=ROUND_FLOOR) for one in exact]
    left = int((amount - sum(parts)) / CENT)
    by_remainder = sorted(range(len(parts)), key=lambda place: parts[place] - exact[place])
    for place in by_remainder[:left]:
        parts[place] += CENT
    return parts


def weighted(amount: Decimal, probability: int) -> Decimal:
    """The expected value of an amount at a probability of 0 to 100 percent."""
    return to_cents(amount * probability / 100)


def validate_currency(code: str) -> None:
    """Raises ValidationError unless the code is an ISO 4217 currency."""
    if code not in CURRENCIES:
        raise ValidationError("%(code)s is not an ISO 4217 currency.", params={"code": code})


class MoneyField(models.DecimalField):
    """An amount of up to 9,999,999,999,999.99, never negative unless `signed`."""

    def __init__(self, *args: Any, signed: bool = False, **kwargs: Any) -> None:
        self.signed = signed
        kwargs.setdefault("max_digits", 15)
        kwargs.setdefault("decimal_places", 2)
        if not signed:
            kwargs.setdefault("validators", [MinValueValidator(ZERO)])
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        kwargs.pop("validators", None)
        if self.signed:
            kwargs["signed"] = True
        return name, "apps.core.money.MoneyField", args, kwargs


class CurrencyField(models.CharField):
    """An ISO 4217 code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 3)
        kwargs.setdefault("validators", [validate_currency])
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        kwargs.pop("validators", None)
        return name, "apps.core.money.CurrencyField", args, kwargs


_exact = msgspec.json.Encoder(decimal_format="number")


class ExactEncoder(json.JSONEncoder):
    """Keeps amounts in a column of JSON as numbers, exact to the cent; takes dataclasses too."""

    def encode(self, o: Any) -> str:
        return _exact.encode(o).decode()


class ExactDecoder(json.JSONDecoder):
    """Reads what `ExactEncoder` kept: amounts are decimals again."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "parse_float": Decimal})
