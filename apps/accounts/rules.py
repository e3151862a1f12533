"""How a company is recognised, what a file may say of it, and how long a deleted one comes back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from apps.core.errors import InvalidInput
from apps.core.facts import (
    amount_fact,
    check_each,
    currency_fact,
    text_fact,
    whole_number_fact,
)
from apps.core.imports.mapping import Targets
from apps.core.places import country_code
from apps.territories.rules import folded

RESTORABLE_FOR = timedelta(days=30)
LONGEST_DOMAIN = 253

LONGEST: Mapping[str, int] = {
    "name": 255,
    "domain": 255,
    "industry": 100,
    "country": 100,
    "state": 100,
    "city": 100,
    "postal_code": 20,
}
MOST_SYSTEMS, LONGEST_SYSTEM, LONGEST_EXTERNAL_ID = 50, 50, 255

TARGETS = Targets(
    noun="an account",
    names=(*LONGEST, "employee_count", "annual_revenue", "currency"),
    objects=("external_ids",),
    synonyms={
        "name": (
            *("name", "account name", "account", "company", "company name"),
            *("organisation", "organization", "customer"),
        ),
        "domain": (
            *("domain", "website", "web site", "url", "company domain", "company domain name"),
            *("homepage", "web"),
        ),
        "industry": ("industry", "sector"),
        "employee_count": (
            *("employee count", "employees", "number of employees", "company size"),
        ),
        "annual_revenue": ("annual revenue", "revenue", "turnover"),
        "currency": ("currency",),
        "country": ("country", "country code", "billing country"),
        "state": ("state", "province", "region", "billing state"),
        "city": ("city", "town", "billing city"),
        "postal_code": ("postal code", "zip", "zip code", "postcode", "billing zip"),
    },
)

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*:)?//")
_HOST = re.compile(r"([a-z0-9_]([a-z0-9-]*[a-z0-9])?\.)+(xn--[a-z0-9-]+|[a-z]{2,})")


def normalised_domain(text: str) -> str:
    """A company's domain as it is compared: `https://www.Acme.com/about` is `acme.com`.

    Empty when the text is no domain. International names are kept in their own script.
    """
    host = re.split(r"[/?#\\]", _SCHEME.sub("", text.strip().lower()), maxsplit=1)[0]
    host = host.rpartition("@")[2].partition(":")[0].removesuffix(".")
    try:
        ascii_host = host.encode("idna").decode("ascii").lower()
        if ascii_host.startswith("www.") and ascii_host.count(".") > 1:
            ascii_host = ascii_host.removeprefix("www.")
        if len(ascii_host) > LONGEST_DOMAIN or not _HOST.fullmatch(ascii_host):
            return ""
        return ascii_host.encode("ascii").decode("idna")
    except UnicodeError:
        return ""


def check_facts(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a file says of an account, with the key of its name.

    Raises InvalidInput naming every wrong fact.
    """
    problems: dict[str, list[str]] = {}
    checked = check_each(given, _check_one, problems)
    if "name" in checked:
        checked["account_key"] = folded(checked["name"])
        if not checked["account_key"]:
            problems["name"] = ["An account has a name."]
    if problems:
        first = next(iter(problems))
        raise InvalidInput(f"{first}: {problems[first][0]}", fields=problems)
    return checked


def _check_one(name: str, value: Any) -> Any:
    match name:
        case "employee_count":
            return whole_number_fact(value)
        case "annual_revenue":
            return amount_fact(value)
        case "currency":
            if not (currency := currency_fact(value)):
                raise ValueError("Give an ISO 4217 currency.")
            return currency
        case "external_ids":
            return _external_ids(value)
        case "domain" | "country":
            return _recognised(name, text_fact(value, longest=LONGEST[name]))
    return text_fact(value, longest=LONGEST[name])


def _recognised(name: str, text: str) -> str:
    found = normalised_domain(text) if name == "domain" else country_code(text)
    if text and not found:
        wanted = "a domain such as acme.com" if name == "domain" else "an ISO 3166 country code"
        raise ValueError(f"Give {wanted}.")
    return found or ""


def _external_ids(value: Any) -> dict[str, str]:
    ids = {
        text_fact(system, longest=LONGEST_SYSTEM): text_fact(one, longest=LONGEST_EXTERNAL_ID)
        for system, one in dict(value).items()
    }
    if len(ids) > MOST_SYSTEMS:
        raise ValueError(f"Give at most {MOST_SYSTEMS} systems.")
    return ids


def can_be_restored(deleted_at: datetime, now: datetime) -> bool:
    """Whether something deleted is still in the bin."""
    return now - deleted_at <= RESTORABLE_FOR
