"""What happened to a row, as the journal tells it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core.admin.display import NOTHING, names_of_people, words
from apps.core.journal import history_of
from apps.core.models import BusinessEvent

SHOWN = 30
LONGEST_VALUE = 80


@dataclass(frozen=True)
class Happening:
    """An event in words."""

    sequence: int
    what: str
    who: str
    door: str
    at: Any
    details: tuple[tuple[str, str], ...]
    aggregate_id: UUID


def happenings_of(
    row_id: Any, *, beside: Mapping[UUID, Collection[str]] | None = None
) -> list[Happening]:
    """The latest events of a row, newest first; and of rows beside it those of some names."""
    found = list(history_of(UUID(str(row_id)))[:SHOWN])
    for other_id, names in (beside or {}).items():
        found += history_of(other_id).filter(name__in=names)[:SHOWN]
    return told(sorted(found, key=lambda one: -one.sequence)[:SHOWN])


def told(events: Iterable[BusinessEvent]) -> list[Happening]:
    """Events in words, with the names of those who made them happen."""
    found: Sequence[BusinessEvent] = list(events)
    names = names_of_people(one.actor_id for one in found) if found else {}
    return [
        Happening(
            sequence=one.sequence,
            what=words(one.name),
            who=names.get(one.actor_id, NOTHING),
            door=words(one.door),
            at=one.occurred_at,
            details=tuple(_details(one.payload)),
            aggregate_id=one.aggregate_id,
        )
        for one in found
    ]


def _details(payload: Any) -> Iterable[tuple[str, str]]:
    """The plain values of a payload; ids tell a reader nothing."""
    for name, value in (payload or {}).items():
        if name.endswith(("_id", "_ids")) or value in (None, "", [], {}):
            continue
        if isinstance(value, list):
            value = ", ".join(str(one) for one in value if not isinstance(one, dict))
        if value and not isinstance(value, dict):
            yield words(name), str(value)[:LONGEST_VALUE]
