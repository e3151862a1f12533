"""What happens to activities. Payloads hold no words that people wrote."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.core.events import event

TOPIC = "sales.activities"


@event("activity.logged", topic=TOPIC, about="activity_id")
@dataclass(frozen=True, kw_only=True)
class ActivityLogged:
    """An activity was noted: done already, or to be done."""

    activity_id: UUID
    type: str
    user_id: UUID
    lead_id: UUID | None
    opportunity_id: UUID | None
    account_id: UUID | None
    contact_id: UUID | None
    scheduled_at: datetime | None
    completed_at: datetime | None


@event("activity.completed", topic=TOPIC, about="activity_id")
@dataclass(frozen=True, kw_only=True)
class ActivityCompleted:
    """An activity was done; told once, also of one that was done when it was logged."""

    activity_id: UUID
    type: str
    user_id: UUID
    lead_id: UUID | None
    opportunity_id: UUID | None
    account_id: UUID | None
    contact_id: UUID | None
    completed_at: datetime
    duration_minutes: int | None


@event("activity.updated", topic=TOPIC, about="activity_id")
@dataclass(frozen=True, kw_only=True)
class ActivityChanged:
    """Facts of an activity changed, or it went into the bin or came back (`bin`)."""

    activity_id: UUID
    changed: tuple[str, ...]
