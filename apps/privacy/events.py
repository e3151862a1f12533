"""What happens to people in the data. Payloads name rows, never the person."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from apps.core.events import event


@event("person.erased", topic="sales.privacy", about="erasure_id")
@dataclass(frozen=True, kw_only=True)
class PersonErased:
    """Nothing tells any more whom these rows were about; whoever has copies erases them, too."""

    erasure_id: UUID
    record_ids: tuple[UUID, ...]
