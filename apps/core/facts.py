"""Facts as people and files give them, brought into one form. Each raises ValueError in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from apps.core.errors import InvalidInput
from apps.core.money import CURRENCIES, LARGEST, to_cents

# Clocks of those who tell us are not ours.
CLOCKS_DIFFER_BY = timedelta(minutes=5)
LARGEST_COUNT = 2_147_483_647
# A number as people write it with thousands separated; a comma elsewhere stays ambiguous.
_GROUPED = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?")


def check_each(
    given: Mapping[str, Any], check: Callable[[str, Any], Any], problems: dict[str, list[str]]
) -> dict[str, Any]:
    """Every fact as its check returns it; what a check raises is noted under the fact's name."""
    checked: dict[str, Any] = {}
    for name, value in given.items():
        try:
            checked[name] = check(name, value)
        except ValueError as failure:
            problems[name] = [str(failure)]
        except (TypeError, ArithmeticError):
            problems[name] = ["The value is not valid."]
    return checked


def text_fact(value: Any, *, longest: int) -> str:
    """A text with single spaces."""
    text = " ".join(str(value or "").split())
    if "\x00" in text:
        raise ValueError("NUL is not allowed.")
    if len(text) > longest:
        raise ValueError(f"Give at most {longest} characters.")
    return text


def entries_fact(value: Any) -> dict[str, Any]:
    """Entries by name, as texts or whatever JSON holds."""
    entries = dict(value or {})
    if any("\x00" in text for pair in entries.items() for text in map(str, pair)):
        raise ValueError("NUL is not allowed.")
    return entries


def currency_fact(value: Any) -> str:
    """An ISO 4217 code, or nothing."""
    text = text_fact(value, longest=3)
    if text and text not in CURRENCIES:
        raise ValueError("This is not an ISO 4217 currency.")
    return text


def whole_number_fact(value: Any, *, largest: int = LARGEST_COUNT) -> int | None:
    """A whole number from zero, given as a number or as text."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        value = _number(value)
        # A number like 1e300000 takes minutes to write out.
        if abs(value) > LARGEST_COUNT or value != value.to_integral_value():
            raise ValueError(f"Give a whole number up to {LARGEST_COUNT}.")
    number = int(value)
    if not 0 <= number <= largest:
        raise ValueError(f"Give a whole number from 0 to {largest}.")
    return number


def amount_fact(value: Any) -> Decimal | None:
    """An amount of money that is not negative, to the cent."""
    if value is None or value == "":
        return None
    if not isinstance(value, str | int | float | Decimal):
        raise ValueError("Give a number.")
    amount = _number(value) if isinstance(value, str) else Decimal(value)
    if not 0 <= amount <= LARGEST:
        raise ValueError(f"Give an amount from 0 to {LARGEST}.")
    return to_cents(amount)


def _number(text: str) -> Decimal:
    """A number as people write it: `1,200`, `$50,000,000.00`, `50 000`."""
    plain = text.strip().lstrip("$€£").replace("\u00a0", "").replace(" ", "")
    if _GROUPED.fullmatch(plain):
        plain = plain.replace(",", "")
    try:
        number = Decimal(plain)
    except InvalidOperation:
        raise ValueError("Give a number.") from None
    if not number.is_finite():
        raise ValueError("Give a number.")
    return number


def check_told_at(as_of: datetime, now: datetime) -> None:
    """Refuse news that lie ahead: nothing else would be news until then. Raises InvalidInput."""
    if as_of > now + CLOCKS_DIFFER_BY:
        raise InvalidInput.field("as_of", "This lies in the future.")
