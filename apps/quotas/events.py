"""What happens to quotas (sales-system-integrations, Quota Events)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from apps.core.events import event

TOPIC = "sales.quotas"


@event("quota.set", topic=TOPIC, about="quota_id")
@dataclass(frozen=True, kw_only=True)
class QuotaSet:
    """A person or territory got a quota."""

    quota_id: UUID
    user_id: UUID | None
    territory_id: UUID | None
    period: str
    quota_type: str
    amount: Decimal
    currency: str


@event("quota.updated", topic=TOPIC, about="quota_id")
@dataclass(frozen=True, kw_only=True)
class QuotaUpdated:
    """A quota became another amount."""

    quota_id: UUID
    user_id: UUID | None
    territory_id: UUID | None
    period: str
    quota_type: str
    amount: Decimal
    previous_amount: Decimal
    currency: str


@event("quota.attained", topic=TOPIC, about="quota_id")
@dataclass(frozen=True, kw_only=True)
class QuotaAttained:
    """What is credited to a quota came to all of it, for the first time."""

    quota_id: UUID
    user_id: UUID | None
    territory_id: UUID | None
    period: str
    quota_type: str
    amount: Decimal
    attainment_amount: Decimal
    currency: str


@dataclass(frozen=True, kw_only=True)
class CreditShare:
    """What one person or territory is credited; below zero where that is taken back."""

    user_id: UUID | None
    territory_id: UUID | None
    kind: str
    amount: Decimal
    converted_amount: Decimal


@dataclass(frozen=True, kw_only=True)
class _OfDeal:
    """Entries that a deal got in the ledger at once.

    `amount` is what of these is sold by somebody: overlays and the territory's credit lie beside
    it, so it is nothing where only those changed.
    `converted_amount` is in `converted_currency`, the organisation's.
    """

    opportunity_id: UUID
    version: int
    closed_on: date
    amount: Decimal
    currency: str
    converted_amount: Decimal
    converted_currency: str
    shares: tuple[CreditShare, ...]


@event("credit.given", topic=TOPIC, about="opportunity_id")
@dataclass(frozen=True, kw_only=True)
class CreditGiven(_OfDeal):
    """A won deal was credited to people and a territory."""


@event("credit.reversed", topic=TOPIC, about="opportunity_id")
@dataclass(frozen=True, kw_only=True)
class CreditReversed(_OfDeal):
    """What people and a territory were credited of a deal was taken back: it was reopened, handed
    over or shared anew. No amount is above zero."""
