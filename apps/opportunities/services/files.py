"""What a file may say of a deal, brought into one form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from apps.core.errors import InvalidInput
from apps.core.facts import (
    amount_fact,
    check_each,
    currency_fact,
    entries_fact,
    text_fact,
    whole_number_fact,
)
from apps.core.imports.mapping import Targets
from apps.core.periods import check_day, organisation_day
from apps.opportunities.models import Opportunity
from apps.opportunities.rules import Category

LONGEST: Mapping[str, int] = {
    "name": 255,
    "account": 255,
    "owner": 255,
    "pipeline": 50,
    "stage": 100,
    "next_step": 10_000,
    "loss_reason": 255,
    "close_reason": 255,
    "payment_terms": 50,
    "special_requirements": 10_000,
    "external_source": 100,
    "external_id": 255,
}
DAYS = ("expected_close_date", "opened_on", "closed_on", "start_date")
DAY_ORDER = "day_order"
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "forecast_category": tuple(Category.values),
    "billing_frequency": tuple(Opportunity.BillingFrequency.values),
    "priority": tuple(Opportunity.Priority.values),
    DAY_ORDER: ("day_first", "month_first"),
}
_LARGEST_NUMBERS: Mapping[str, int] = {"probability": 100, "contract_term": 1_200}

TARGETS = Targets(
    noun="an opportunity",
    names=(*LONGEST, *DAYS, *_LARGEST_NUMBERS, *_CHOICES, "amount", "currency"),
    objects=("metadata",),
    synonyms={
        "name": ("name", "opportunity name", "deal name", "opportunity", "deal", "title"),
        "account": (
            *("account", "account name", "company", "company name", "customer", "client"),
            *("organisation", "organization", "associated company"),
        ),
        "owner": (
            *("owner", "owner email", "opportunity owner", "deal owner", "salesperson"),
            *("sales agent", "sales rep", "assigned to", "assigned user"),
        ),
        "stage": ("stage", "deal stage", "opportunity stage", "sales stage", "stage name"),
        "pipeline": ("pipeline", "sales process"),
        "amount": (
            *("amount", "value", "deal value", "close value", "total", "expected revenue"),
            *("opportunity amount", "deal amount"),
        ),
        "currency": ("currency", "currency iso code"),
        "probability": ("probability", "probability percent"),
        "forecast_category": ("forecast category", "forecast"),
        "expected_close_date": (
            *("expected close date", "expected close", "close date", "expected closing"),
            "closing date",
        ),
        "opened_on": (
            *("created", "created date", "created on", "create date", "opened", "opened on"),
            *("engage date", "date created"),
        ),
        "closed_on": ("closed", "closed on", "closed date", "actual close date", "won on"),
        "next_step": ("next step", "next steps", "next activity"),
        "loss_reason": ("loss reason", "lost reason", "closed lost reason", "reason lost"),
        "close_reason": ("close reason", "won reason", "closed won reason"),
        "contract_term": ("contract term", "term", "contract months"),
        "start_date": ("start date", "contract start", "start"),
        "payment_terms": ("payment terms",),
        "billing_frequency": ("billing frequency", "billing period"),
        "priority": ("priority",),
        "external_id": ("id", "opportunity id", "deal id", "record id", "external id"),
    },
)

_ISO = re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})([T ].*)?")
_DOTTED = re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})([T ].*)?")
_SLASHED = {
    "day_first": re.compile(r"(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4})([T ].*)?"),
    "month_first": re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})([T ].*)?"),
}


def check_file_facts(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a file says of a deal. What it leaves empty it does not say.

    Days are read as 2026-01-31 and 31.01.2026, and moments as the day that it is where the
    organisation is; as 1/31/2026 or 31/1/2026 only where `day_order` says which comes first.

    Raises InvalidInput naming every wrong fact.
    """
    order = named_alike(str(given.get(DAY_ORDER) or ""))

    def check(name: str, value: Any) -> Any:
        return _day(value, order) if name in DAYS else _checked(name, value)

    problems: dict[str, list[str]] = {}
    checked = check_each(given, check, problems)
    if problems:
        first = next(iter(problems))
        raise InvalidInput(f"{first}: {problems[first][0]}", fields=problems)
    checked.pop(DAY_ORDER, None)
    return {name: value for name, value in checked.items() if value not in (None, "", {})}


def named_alike(text: str) -> str:
    """A name of a stage as it is compared: `Closed Won` and `closed_won` are the same."""
    return re.sub(r"[\W_]+", "_", text.casefold()).strip("_")


def _checked(name: str, value: Any) -> Any:
    if name in _CHOICES:
        return _choice(name, value)
    if name in _LARGEST_NUMBERS:
        return _number(name, value)
    match name:
        case "amount":
            return amount_fact(value)
        case "currency":
            return currency_fact(value)
        case "metadata":
            return entries_fact(value)
    return text_fact(value, longest=LONGEST[name])


def _choice(name: str, value: Any) -> str:
    stated = str(value or "").strip()
    text = named_alike(stated)
    allowed = _CHOICES[name]
    if stated and text not in allowed:
        raise ValueError(f"Choose one of {', '.join(allowed)}.")
    return text


def _number(name: str, value: Any) -> int | None:
    """A whole number; percent may carry their sign, and nothing is no term of a contract."""
    if isinstance(value, str):
        value = value.strip().removesuffix("%")
    number = whole_number_fact(value, largest=_LARGEST_NUMBERS[name])
    if name == "contract_term" and number == 0:
        return None
    return number


def _day(value: Any, order: str) -> date | None:
    text = str(value or "").strip()
    if not text:
        return None
    if moment := _moment(text):
        return _of_the_calendar(moment)
    for form in filter(None, (_ISO, _DOTTED, _SLASHED.get(order))):
        if found := form.fullmatch(text):
            parts = (int(found[part]) for part in ("year", "month", "day"))
            return _within_the_calendar(*parts)
    if "/" in text and not order:
        raise ValueError("Say in day_order whether such days are day_first or month_first.")
    raise ValueError("Give a day such as 2026-01-31.")


def _moment(text: str) -> datetime | None:
    """The moment that a text is; None for a day, and where nobody says in which time zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _within_the_calendar(year: int, month: int, day: int) -> date:
    try:
        found = date(year, month, day)
        check_day(found, "day")
    except (ValueError, InvalidInput):
        raise ValueError("There is no such day.") from None
    return found


def _of_the_calendar(moment: datetime) -> date:
    try:
        day = organisation_day(moment)
    except OverflowError:
        raise ValueError("There is no such day.") from None
    return _within_the_calendar(day.year, day.month, day.day)
