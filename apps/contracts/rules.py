"""What contracts come to: how long they run, and what is due when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from dateutil.relativedelta import relativedelta
from django.db.models import TextChoices

from apps.contracts.errors import ScheduleMismatch
from apps.core.money import shared

# Without them there is nothing to bill by.
REQUIRED = ("contract_term", "start_date", "payment_terms", "billing_frequency")
MONTHS_BETWEEN_BILLS: Mapping[str, int] = {
    "monthly": 1,
    "quarterly": 3,
    "semiannually": 6,
    "annually": 12,
}


class ContractStatus(TextChoices):
    """How far a contract has come."""

    DRAWN_UP = "drawn_up", "Drawn up"
    ACKNOWLEDGED = "acknowledged"
    VOID = "void"


@dataclass(frozen=True)
class Payment:
    """A part of the contract's value, and when it is due."""

    due_on: date
    amount: Decimal


def missing_terms(terms: Mapping[str, Any]) -> list[str]:
    """The terms that a contract still lacks."""
    return [name for name in REQUIRED if not terms.get(name)]


def last_day(start_date: date, months: int) -> date:
    """The last day of a contract of so many months."""
    return start_date + relativedelta(months=months) - timedelta(days=1)


def payments(
    *, amount: Decimal, start_date: date, contract_term: int, billing_frequency: str
) -> list[Payment]:
    """What is due when, in advance; the parts come to the amount exactly.

    A last part that covers fewer months is the smaller for it.
    """
    step = MONTHS_BETWEEN_BILLS.get(billing_frequency, contract_term)
    begins = range(0, contract_term, step)
    covered = [Decimal(min(step, contract_term - month)) for month in begins]
    return [
        Payment(start_date + relativedelta(months=month), part)
        for month, part in zip(begins, shared(amount, covered), strict=True)
    ]


def check_schedule(schedule: list[Payment], amount: Decimal) -> None:
    """Refuse payments that don't come to the contract's amount. Raises ScheduleMismatch."""
    paid = sum((one.amount for one in schedule), Decimal(0))
    if paid != amount:
        raise ScheduleMismatch(amount=str(amount), payments=str(paid))
