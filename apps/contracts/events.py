"""What happens to contracts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from apps.core.events import event

TOPIC = "sales.contracts"


@event("contract.created", topic=TOPIC, about="contract_id")
@dataclass(frozen=True, kw_only=True)
class ContractCreated:
    """A contract was drawn up for a won deal."""

    contract_id: UUID
    opportunity_id: UUID
    account_id: UUID
    amount: Decimal
    currency: str
    contract_term: int
    start_date: date
    end_date: date
    payment_terms: str
    billing_frequency: str
    owner_id: UUID
    territory_id: UUID | None


@event("contract.updated", topic=TOPIC, about="contract_id")
@dataclass(frozen=True, kw_only=True)
class ContractUpdated:
    """The terms of a contract changed. The values are those after the change."""

    contract_id: UUID
    opportunity_id: UUID
    changed: tuple[str, ...]
    contract_term: int
    start_date: date
    end_date: date
    payment_terms: str
    billing_frequency: str


@event("contract.acknowledged", topic=TOPIC, about="contract_id")
@dataclass(frozen=True, kw_only=True)
class ContractAcknowledged:
    """Billing keeps a contract, under a number of its own."""

    contract_id: UUID
    opportunity_id: UUID
    external_system: str
    external_id: str


@event("contract.voided", topic=TOPIC, about="contract_id")
@dataclass(frozen=True, kw_only=True)
class ContractVoided:
    """A contract no longer holds, since its deal was taken up again."""

    contract_id: UUID
    opportunity_id: UUID
    external_system: str
    external_id: str
