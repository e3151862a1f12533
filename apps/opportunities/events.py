"""What happens to opportunities. Payloads hold no e-mail, phone or name of a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.core.events import event

TOPIC = "sales.opportunities"


@event("opportunity.created", topic=TOPIC, about="opportunity_id")
@dataclass(frozen=True, kw_only=True)
class OpportunityCreated:
    """A deal was opened, or brought over from another system: won or lost there if `kind` says so.

    What was won counts, though no `opportunity.won` is told of it.
    """

    opportunity_id: UUID
    account_id: UUID
    lead_id: UUID | None
    pipeline: str
    stage: str
    probability: int
    amount: Decimal
    currency: str
    expected_close_date: date | None
    forecast_category: str
    owner_id: UUID
    territory_id: UUID | None
    kind: str = "open"
    closed_on: date | None = None


@event("opportunity.stage_changed", topic=TOPIC, about="opportunity_id")
@dataclass(frozen=True, kw_only=True)
class OpportunityStageChanged:
    """A deal went from one stage to another, was won, lost or reopened."""

    opportunity_id: UUID
    pipeline: str
    from_stage: str
    from_kind: str
    to_stage: str
    to_kind: str
    probability: int
    amount: Decimal
    currency: str
    expected_close_date: date | None
    forecast_category: str
    owner_id: UUID
    territory_id: UUID | None


@dataclass(frozen=True, kw_only=True)
class SoldLine:
    """A product on a deal when it was won."""

    product_id: UUID
    product_code: str
    product_name: str
    quantity: int
    unit_price: Decimal
    discount: Decimal
    amount: Decimal
    configuration: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ScheduledPayment:
    """A part of the contract's value, and when it is due."""

    due_on: date
    amount: Decimal


@dataclass(frozen=True, kw_only=True)
class CreditedShare:
    """What somebody is credited of a deal, in percent."""

    user_id: UUID
    kind: str
    percentage: Decimal


@event("opportunity.won", topic=TOPIC, about="opportunity_id")
@dataclass(frozen=True, kw_only=True)
class OpportunityWon:
    """A deal was won: all that billing, operations, quotas and commissions go by."""

    opportunity_id: UUID
    account_id: UUID
    account_name: str
    lead_id: UUID | None
    amount: Decimal
    currency: str
    closed_on: date
    close_reason: str
    lines: tuple[SoldLine, ...]
    contract_term: int | None
    start_date: date | None
    payment_terms: str
    billing_frequency: str
    payment_schedule: tuple[ScheduledPayment, ...]
    special_requirements: str
    priority: str
    owner_id: UUID
    territory_id: UUID | None
    splits: tuple[CreditedShare, ...] = ()


@event("opportunity.credit_changed", topic=TOPIC, about="opportunity_id")
@dataclass(frozen=True, kw_only=True)
class OpportunityCreditChanged:
    """What a deal counts for changed: it was won or reopened, or a won one changed its shares,
    owner or territory.

    It says all that credit is worked out from, so that nobody has to look at the deal, which may
    have changed since. `version` is the deal's: what bears a lower one than was heard is old.
    `closed_on` is missing where the deal does not count.
    """

    opportunity_id: UUID
    version: int
    amount: Decimal
    currency: str
    closed_on: date | None
    owner_id: UUID
    territory_id: UUID | None
    splits: tuple[CreditedShare, ...]


@event("opportunity.lost", topic=TOPIC, about="opportunity_id")
@dataclass(frozen=True, kw_only=True)
class OpportunityLost:
    """A deal was lost."""

    opportunity_id: UUID
    account_id: UUID
    last_open_stage: str
    loss_reason: str
    amount: Decimal
    currency: str
    closed_on: date
    owner_id: UUID
    territory_id: UUID | None


@event("opportunity.updated", topic=TOPIC, about="opportunity_id")
@dataclass(frozen=True, kw_only=True)
class OpportunityUpdated:
    """Facts of a deal changed, or it went into the bin or came back (`bin`).

    The values are those after the change; `previous_…` say where it counted before.
    """

    opportunity_id: UUID
    changed: tuple[str, ...]
    stage: str
    kind: str
    is_in_bin: bool
    probability: int
    amount: Decimal
    currency: str
    expected_close_date: date | None
    forecast_category: str
    owner_id: UUID
    territory_id: UUID | None
    previous_expected_close_date: date | None
    previous_owner_id: UUID
    previous_territory_id: UUID | None
