"""An event of which the platform has no handlers, so that those of the tests can be counted."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from apps.core.events import event


@event("record.counted", topic="sales.faults", about="record_id")
@dataclass(frozen=True, kw_only=True)
class RecordCounted:
    """Somebody counted on."""

    record_id: UUID
    number: int
