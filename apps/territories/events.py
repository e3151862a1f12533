"""What happens to territories."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from apps.core.events import event

TOPIC = "sales.territories"


@event("territory.created", topic=TOPIC, about="territory_id")
@dataclass(frozen=True, kw_only=True)
class TerritoryCreated:
    """A territory was drawn."""

    territory_id: UUID
    name: str
    type: str
    owner_id: UUID | None
    parent_territory_id: UUID | None


@event("territory.updated", topic=TOPIC, about="territory_id")
@dataclass(frozen=True, kw_only=True)
class TerritoryUpdated:
    """A territory's place, rules, owner or members changed."""

    territory_id: UUID
    changed: tuple[str, ...]


@event("territory.assignment_changed", topic=TOPIC, about="record_id")
@dataclass(frozen=True, kw_only=True)
class AssignmentChanged:
    """A lead, account or opportunity came to another territory or person."""

    record_id: UUID
    record_type: str
    territory_id: UUID | None
    previous_territory_id: UUID | None
    owner_id: UUID | None
    previous_owner_id: UUID | None
    reason: str
    cause: str
    effective_on: date
