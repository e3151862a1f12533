"""What the company's previous CRM knew, as it would export it: customers and a year and a half of
deals."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import product
from typing import Any

from apps.accounts.services.imports import ACCOUNT_IMPORTS
from apps.core.actors import Actor
from apps.core.periods import organisation_today
from apps.core.tables import write_csv
from apps.opportunities.services.imports import OPPORTUNITY_IMPORTS
from salesplatform.demo.files import take_in
from salesplatform.demo.leads import SEED

DEALS = 760
DAYS = 620

_CUSTOMER_COLUMNS = (
    *("Account ID", "Account Name", "Website", "Industry", "Employees"),
    *("Country", "State"),
)
_CUSTOMERS: Mapping[str, Any] = {
    "columns": {
        "Account ID": "external_ids.previous crm",
        "Account Name": "name",
        "Website": "domain",
        "Industry": "industry",
        "Employees": "employee_count",
        "Country": "country",
        "State": "state",
    }
}
_DEAL_COLUMNS = (
    *("Opportunity ID", "Opportunity Name", "Account Name", "Stage", "Amount"),
    *("Created Date", "Close Date", "Loss Reason"),
)
_DEALS: Mapping[str, Any] = {
    "columns": {
        "Opportunity ID": "external_id",
        "Opportunity Name": "name",
        "Account Name": "account",
        "Stage": "stage",
        "Amount": "amount",
        "Created Date": "opened_on",
        "Close Date": "expected_close_date",
        "Loss Reason": "loss_reason",
    },
    "constants": {"external_source": "previous crm", "currency": "USD"},
}

_NAMES = (
    *("Alder", "Birch", "Cobalt", "Delta", "Ember"),
    *("Falcon", "Glacier", "Hawthorn", "Indigo", "Jasper"),
)
_KINDS = ("Works", "Foods", "Systems", "Clinics")
# What they do, how many of their deals are won, and how much larger than usual these are.
_INDUSTRIES: Mapping[str, tuple[str, float, float]] = {
    "Works": ("Manufacturing", 0.85, 1.2),
    "Foods": ("Retail", 0.08, 0.7),
    "Systems": ("Technology", 0.8, 1.1),
    "Clinics": ("Healthcare", 0.2, 0.9),
}
SUITED = frozenset(name for name, won, _ in _INDUSTRIES.values() if won > 0.5)
_PLACES = (("US", "CA"), ("US", "NY"), ("DE", ""), ("US", "WA"), ("GB", ""), ("FR", ""))
_WANTED = ("Enterprise Plan", "Team Plan", "Onboarding package", "Renewal", "More seats")
_LOST = ("Chose a competitor", "Too expensive", "No budget", "No decision")
_STAGES = ("Qualification", "Proposal", "Negotiation")
_USUAL_AMOUNT, _USUAL_DAYS = 22_000, 50
_SATURDAY = 5


def bring_over_the_past(actor: Actor) -> tuple[int, int]:
    """Import what the previous CRM knew; returns how many customers and deals."""
    chance = random.Random(SEED)  # noqa: S311
    customers = take_in(
        ACCOUNT_IMPORTS,
        write_csv(columns=_CUSTOMER_COLUMNS, rows=_customers()),
        filename="customers.csv",
        mapping=_CUSTOMERS,
        match_on="domain",
        actor=actor,
    )
    deals = take_in(
        OPPORTUNITY_IMPORTS,
        write_csv(columns=_DEAL_COLUMNS, rows=_deals(chance)),
        filename="deals.csv",
        mapping=_DEALS,
        match_on="external_id",
        actor=actor,
    )
    return customers.created, deals.created


def _customers() -> Iterator[dict[str, object]]:
    for number, (name, kind) in enumerate(product(_NAMES, _KINDS)):
        country, state = _PLACES[number % len(_PLACES)]
        yield {
            "Account ID": f"A-{number}",
            "Account Name": f"{name} {kind}",
            "Website": f"{name}{kind}.example".lower(),
            "Industry": _INDUSTRIES[kind][0],
            "Employees": 40 + 37 * number,
            "Country": country,
            "State": state,
        }


def _deals(chance: random.Random) -> Iterator[dict[str, object]]:
    """Deals that began a while ago, more of them every month; the latest are still open."""
    today = organisation_today()
    for number in range(DEALS):
        name, kind = chance.choice(_NAMES), chance.choice(_KINDS)
        _, won, size = _INDUSTRIES[kind]
        opened_on = today - timedelta(days=round(DAYS * (1 - chance.random() ** 0.9)) + 3)
        closes_on = _workday(
            opened_on + timedelta(days=5 + round(_USUAL_DAYS * chance.lognormvariate(0, 0.5)))
        )
        amount = round(_USUAL_AMOUNT * size * chance.lognormvariate(0, 0.6), -2)
        is_won = chance.random() < won - 0.15 * (amount > 2 * _USUAL_AMOUNT)
        loss_reason = chance.choice(_LOST)
        if closes_on >= today:
            lived = (today - opened_on) / (closes_on - opened_on)
            stage, loss_reason = _STAGES[min(int(3 * lived), 2)], ""
        else:
            stage, loss_reason = ("Closed Won", "") if is_won else ("Closed Lost", loss_reason)
        yield {
            "Opportunity ID": f"O-{number}",
            "Opportunity Name": f"{name} {kind} – {chance.choice(_WANTED)}",
            "Account Name": f"{name} {kind}",
            "Stage": stage,
            "Amount": f"{amount:,.0f}",
            "Created Date": opened_on.isoformat(),
            "Close Date": closes_on.isoformat(),
            "Loss Reason": loss_reason,
        }


def _workday(day: date) -> date:
    """A day or the Friday before it."""
    return day - timedelta(days=max(0, day.weekday() - _SATURDAY + 1))
