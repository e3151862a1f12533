"""What finance is told beside the forecasts (sales-system-integrations, Finance System).

    partners.finance    commission.eligible, commission.reversed

Credits name whom commissions are worked out for, as they are called when they are told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from apps.integrations.rules.messages import Telling
from apps.quotas.events import CreditGiven, CreditReversed
from apps.users.models import User

CHANNEL = "partners.finance"


@dataclass(frozen=True, kw_only=True)
class CreditedPerson:
    """Whoever is credited, and with what: as who sold (`revenue`), or helped (`overlay`)."""

    user_id: UUID
    name: str
    email: str
    kind: str
    amount: Decimal
    converted_amount: Decimal


@dataclass(frozen=True, kw_only=True)
class CommissionEligible:
    """People are credited with a won deal, which commissions are worked out from.

    `amount` is what is sold: shares of kind `revenue` come to it, overlays lie beside it. It is
    converted by the rate of the day the deal was won. All that is told of a deal adds up to what
    stands.
    """

    opportunity_id: UUID
    version: int
    closed_on: date
    amount: Decimal
    currency: str
    converted_amount: Decimal
    converted_currency: str
    shares: tuple[CreditedPerson, ...]


@dataclass(frozen=True, kw_only=True)
class CommissionReversed(CommissionEligible):
    """What people were credited of a deal is taken back, because it was reopened, handed over or
    shared anew. Every amount is below zero."""


ELIGIBLE = Telling("commission.eligible", CHANNEL, CommissionEligible)
REVERSED = Telling("commission.reversed", CHANNEL, CommissionReversed)


def people_credited(told: CreditGiven | CreditReversed) -> set[UUID]:
    """Whom finance is told of."""
    return {one.user_id for one in told.shares if one.user_id is not None}


def credited(
    told: CreditGiven | CreditReversed, people: Mapping[UUID, User]
) -> CommissionEligible | None:
    """What finance is told of a deal's credit; nothing where only a territory's changed."""
    shares = tuple(
        CreditedPerson(
            user_id=one.user_id,
            name=people[one.user_id].name,
            email=people[one.user_id].email,
            kind=one.kind,
            amount=one.amount,
            converted_amount=one.converted_amount,
        )
        for one in told.shares
        if one.user_id is not None
    )
    if not shares:
        return None
    kind = CommissionReversed if isinstance(told, CreditReversed) else CommissionEligible
    return kind(
        opportunity_id=told.opportunity_id,
        version=told.version,
        closed_on=told.closed_on,
        amount=told.amount,
        currency=told.currency,
        converted_amount=told.converted_amount,
        converted_currency=told.converted_currency,
        shares=shares,
    )
