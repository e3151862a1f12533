"""What rows can be narrowed by: each filter reads its text strictly and renders one condition."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models

from apps.core.contact_points import email_key, is_phone, phone_key
from apps.core.errors import InvalidInput

LONGEST_TEXT = 200


@dataclass(frozen=True)
class Filter:
    """A named condition. `sql` speaks of the row as `t` and takes the value once per `%s`."""

    name: str
    sql: str
    parse: Callable[[str], Any]
    sentence: str = ""
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})
    right: str = ""

    def condition(self, text: str) -> tuple[str, list[Any]]:
        """The SQL and its parameters. Raises InvalidInput for text that makes no sense."""
        if "\x00" in text:
            raise InvalidInput.field(self.name, "NUL is not allowed.")
        try:
            value = self.parse(text)
        except (ValueError, InvalidOperation, OverflowError) as failure:
            raise InvalidInput.field(self.name, str(failure) or "The value is not valid.") from None
        return self.sql, [value] * self.sql.count("%s")


def _identifier(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ValueError("Give a UUID.") from None


def _whole_number(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,10}", text) or abs(int(text)) > 2_147_483_647:
        raise ValueError("Give a whole number.")
    return int(text)


def _amount(text: str) -> Decimal:
    if not re.fullmatch(r"-?\d{1,13}(\.\d{1,2})?", text):
        raise ValueError("Give an amount with at most two decimals.")
    return Decimal(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("Give a date as 2026-02-11.") from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise ValueError("Give a moment as 2026-02-11T08:00:00Z.") from None
    if len(text) == len("2026-02-11"):
        moment = datetime.combine(moment.date(), time(), UTC)
    if moment.tzinfo is None:
        raise ValueError("Give the moment's offset, or Z for UTC.")
    return moment


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("Give true or false.")
    return text == "true"


def _text(text: str) -> str:
    if not text.strip() or len(text) > LONGEST_TEXT:
        raise ValueError(f"Give 1 to {LONGEST_TEXT} characters.")
    return text.strip()


def one_of(name: str, choices: type[models.TextChoices], *, column: str = "") -> Filter:
    """Rows whose value is one of those given, separated by commas."""
    allowed = list(choices.values)

    def parse(text: str) -> list[str]:
        values = text.split(",")
        if unknown := [value for value in values if value not in allowed]:
            raise ValueError(f"{', '.join(unknown)} is not one of {', '.join(allowed)}.")
        return values

    return Filter(
        name,
        f't."{column or name}" = ANY(%s)',
        parse,
        f"One or more of {', '.join(allowed)}, separated by commas.",
    )


def refers_to(name: str, *, column: str = "", sql: str = "") -> Filter:
    """Rows that refer to this id: by a column, or as a condition says."""
    return Filter(
        name,
        sql or f't."{column or name}" = %s',
        _identifier,
        schema={"type": "string", "format": "uuid"},
    )


def equals(name: str, *, column: str = "") -> Filter:
    """Rows with exactly this text."""
    return Filter(name, f't."{column or name}" = %s', _text)


def has_email() -> Filter:
    """Rows of the person with this e-mail address: encrypted, it is only found as a whole."""
    return Filter("email", 't."email_key" = %s', _email, "A whole e-mail address.")


def has_phone() -> Filter:
    """Rows of the person with this phone number; without `+` it is one of our own country."""
    return Filter("phone", 't."phone_key" = %s', _phone, "A whole phone number.")


def _email(text: str) -> str:
    if not (key := email_key(text)):
        raise ValueError("Give an e-mail address.")
    return key


def _phone(text: str) -> str:
    # A plus sign that was not escaped is a space in a query.
    typed = f"+{text.strip()}" if text.startswith(" ") else text
    if not (is_phone(typed) and (key := phone_key(typed, settings.DEFAULT_COUNTRY))):
        raise ValueError("Give a phone number.")
    return key


def is_true(name: str, sql: str) -> Filter:
    """Rows for which a condition holds (`true`) or not (`false`)."""
    return Filter(name, f"({sql}) = %s", _flag, schema={"type": "boolean"})


_RANGES: dict[str, tuple[Callable[[str], Any], dict[str, Any]]] = {
    "whole number": (_whole_number, {"type": "integer"}),
    "amount": (_amount, {"type": "number"}),
    "day": (_day, {"type": "string", "format": "date"}),
    "moment": (_moment, {"type": "string", "format": "date-time"}),
}


def at_least(name: str, column: str, what: str, *, right: str = "") -> Filter:
    """Rows whose value is this or more. `what`: whole number, amount, day or moment."""
    parse, schema = _RANGES[what]
    return Filter(name, f't."{column}" >= %s', parse, schema=schema, right=right)


def at_most(name: str, column: str, what: str, *, right: str = "") -> Filter:
    """Rows whose value is this or less. `what`: whole number, amount, day or moment."""
    parse, schema = _RANGES[what]
    return Filter(name, f't."{column}" <= %s', parse, schema=schema, right=right)


def _words(text: str) -> str:
    """A full-text query: every word must occur, the last one may be unfinished."""
    words = re.findall(r"[^\W_]+", _text(text).lower())
    if not words:
        raise ValueError("Give at least one letter or digit.")
    return " & ".join(f"'{word}':*" for word in words[:10])


def search(*, column: str = "search_vector", also: str = "") -> Filter:
    """Rows in which every word occurs, as a whole or as a beginning.

    `also` is a further condition over the text as typed, such as an exact e-mail address.
    """
    matches = f't."{column}" @@ %s::tsquery'
    return Filter("search", matches, _words, "Words that occur in the row; beginnings count.")
