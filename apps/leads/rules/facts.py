"""The facts of a lead as people and files give them, checked and brought into one form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from apps.core.contact_points import email_domain, email_key, phone_key
from apps.core.errors import InvalidInput
from apps.core.facts import (
    LARGEST_COUNT,
    amount_fact,
    check_each,
    currency_fact,
    text_fact,
    whole_number_fact,
)
from apps.core.places import country_code

LONGEST: Mapping[str, int] = {
    "source": 100,
    "first_name": 100,
    "last_name": 100,
    "email": 255,
    "phone": 50,
    "company": 255,
    "title": 100,
    "industry": 100,
    "currency": 3,
    "country": 100,
    "state": 100,
    "city": 100,
    "postal_code": 20,
    "external_source": 100,
    "external_id": 255,
    "campaign_id": 100,
}
TEXTS = tuple(LONGEST)
_LARGEST_NUMBERS: Mapping[str, int] = {"employee_count": LARGEST_COUNT, "marketing_score": 100}
WHOLE_NUMBERS = tuple(_LARGEST_NUMBERS)
AMOUNTS = ("annual_revenue",)
OBJECTS = ("metadata", "attribution")
WRITABLE = (*TEXTS, *WHOLE_NUMBERS, *AMOUNTS, *OBJECTS)

# These look like what must never be collected: US social security and payment card numbers.
_FREE_TEXTS = frozenset(("first_name", "last_name", "company", "title", "industry", "city"))
_SSN = re.compile(r"\b(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}\b")
_CARD = re.compile(r"\b(?:\d[ -]?){14,15}\d\b")
_SHORTEST_SENSITIVE = len("123-45-6789")


@dataclass(frozen=True)
class LeadFacts:
    """Checked facts of a lead, with the keys that duplicates are found by."""

    source: str
    email: str
    email_key: str
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    phone_key: str = ""
    company: str = ""
    company_key: str = ""
    title: str = ""
    industry: str = ""
    employee_count: int | None = None
    annual_revenue: Decimal | None = None
    currency: str = ""
    country: str = ""
    state: str = ""
    city: str = ""
    postal_code: str = ""
    external_source: str = ""
    external_id: str = ""
    campaign_id: str = ""
    marketing_score: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    attribution: dict[str, Any] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        """The part of the e-mail address that may name a company."""
        return email_domain(self.email)

    def values(self) -> dict[str, Any]:
        """Every fact by its name."""
        return {name: getattr(self, name) for name in FACT_NAMES}


FACT_NAMES: tuple[str, ...] = tuple(one.name for one in fields(LeadFacts))


def check_facts(given: Mapping[str, Any], *, country: str) -> LeadFacts:
    """The facts of a whole lead. Raises InvalidInput naming every wrong field.

    Args:
        given: by name, as in `WRITABLE`.
        country: two-letter code by which phone numbers without a prefix are read.
    """
    problems: dict[str, list[str]] = {}
    checked = _checked(given, country, problems)
    for name in ("source", "email"):
        if not checked.get(name):
            problems.setdefault(name, ["This is needed."])
    if problems:
        first = next(iter(problems))
        raise InvalidInput(f"{first}: {problems[first][0]}", fields=problems)
    return LeadFacts(**checked)


def check_changes(given: Mapping[str, Any], *, country: str) -> dict[str, Any]:
    """Some facts of a lead, with their keys. Raises InvalidInput naming every wrong field."""
    problems: dict[str, list[str]] = {}
    checked = _checked(given, country, problems)
    for name in ("source", "email"):
        if name in given and not checked.get(name):
            problems.setdefault(name, ["This is needed."])
    if problems:
        first = next(iter(problems))
        raise InvalidInput(f"{first}: {problems[first][0]}", fields=problems)
    return checked


def company_key(company: str) -> str:
    """A company's name as it is compared."""
    return " ".join(company.split()).casefold()


def _checked(
    given: Mapping[str, Any], country: str, problems: dict[str, list[str]]
) -> dict[str, Any]:
    checked = check_each(given, _check_one, problems)
    if checked.get("country"):
        checked["country"] = country_code(checked["country"]) or checked["country"]
    _add_keys(checked, country, problems)
    return checked


def _add_keys(checked: dict[str, Any], country: str, problems: dict[str, list[str]]) -> None:
    if checked.get("email"):
        checked["email_key"] = email_key(checked["email"])
        if not checked["email_key"]:
            problems["email"] = ["This is not an e-mail address."]
    if "phone" in checked:
        at = checked.get("country", "")
        checked["phone_key"] = phone_key(checked["phone"], at if len(at) == 2 else country)
    if "company" in checked:
        checked["company_key"] = company_key(checked["company"])


def _check_one(name: str, value: Any) -> Any:
    if name in LONGEST:
        return _text(name, value)
    if name in _LARGEST_NUMBERS:
        return whole_number_fact(value, largest=_LARGEST_NUMBERS[name])
    if name in AMOUNTS:
        return amount_fact(value)
    if name in OBJECTS:
        return dict(value or {})
    raise ValueError("This field does not exist.")


def _text(name: str, value: Any) -> str:
    if name == "currency":
        return currency_fact(value)
    text = text_fact(value, longest=LONGEST[name])
    if name in _FREE_TEXTS and _is_sensitive(text):
        raise ValueError("This looks like a social security or card number; it is not kept here.")
    return text


def _is_sensitive(text: str) -> bool:
    if len(text) < _SHORTEST_SENSITIVE or not any(map(str.isdigit, text)):
        return False
    return bool(_SSN.search(text)) or any(_is_card(match[0]) for match in _CARD.finditer(text))


def _is_card(text: str) -> bool:
    """Whether digits are a payment card's: the last one is the check digit of the others (Luhn)."""
    digits = [int(one) for one in text if one.isdigit()]
    doubled = [sum(divmod(2 * one, 10)) for one in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
