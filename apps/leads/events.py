"""What happens to leads. Payloads hold no e-mail, phone or name: listeners look those up."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from apps.core.events import event

TOPIC = "sales.leads"


@event("lead.created", topic=TOPIC, about="lead_id")
@dataclass(frozen=True, kw_only=True)
class LeadCreated:
    """Somebody showed interest."""

    lead_id: UUID
    source: str
    status: str
    score: int
    owner_id: UUID | None
    territory_id: UUID | None


@event("lead.updated", topic=TOPIC, about="lead_id")
@dataclass(frozen=True, kw_only=True)
class LeadUpdated:
    """Facts of a lead changed, or it went into the bin or came back (`bin`)."""

    lead_id: UUID
    changed: tuple[str, ...]


@event("lead.assigned", topic=TOPIC, about="lead_id")
@dataclass(frozen=True, kw_only=True)
class LeadAssigned:
    """A lead got an owner."""

    lead_id: UUID
    owner_id: UUID | None
    territory_id: UUID | None
    cause: str
    reason: str


@event("lead.qualified", topic=TOPIC, about="lead_id")
@dataclass(frozen=True, kw_only=True)
class LeadQualified:
    """A lead is worth selling to."""

    lead_id: UUID
    owner_id: UUID | None
    territory_id: UUID | None
    score: int


@event("lead.status_changed", topic=TOPIC, about="lead_id")
@dataclass(frozen=True, kw_only=True)
class LeadStatusChanged:
    """A lead went from one status to another."""

    lead_id: UUID
    previous_status: str
    status: str
    reason: str


@event("lead.converted", topic=TOPIC, about="lead_id")
@dataclass(frozen=True, kw_only=True)
class LeadConverted:
    """A lead became an opportunity of an account."""

    lead_id: UUID
    opportunity_id: UUID
    account_id: UUID
    contact_id: UUID | None
    owner_id: UUID | None
    territory_id: UUID | None


@event("lead.merged", topic=TOPIC, about="lead_id")
@dataclass(frozen=True, kw_only=True)
class LeadsMerged:
    """Duplicates of a lead were folded into it."""

    lead_id: UUID
    merged_ids: tuple[UUID, ...]


@event("lead.unmerged", topic=TOPIC, about="lead_id")
@dataclass(frozen=True, kw_only=True)
class LeadsUnmerged:
    """A merge was undone."""

    lead_id: UUID
    restored_ids: tuple[UUID, ...]
