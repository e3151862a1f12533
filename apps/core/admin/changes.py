"""What became of a row, as the change history tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import models

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.history import about, changes_visible_to, everything_audited, fields_of_each
from apps.core.models import Change

SHOWN = 30
LONGEST_VALUE = 200
NOBODY = "Unknown"


@dataclass(frozen=True)
class Told:
    """A change in words."""

    what: str
    who: str
    door: str
    at: Any
    fields: tuple[tuple[str, str, str], ...]


def changes_of(row_id: Any, actor: Actor) -> list[Told]:
    """The latest changes of a row, newest first."""
    found = list(about(changes_visible_to(actor), UUID(str(row_id)))[:SHOWN])
    names = show.names_of_people(one.actor_id for one in found if one.actor_id)
    return [
        Told(
            what=show.words(one.action),
            who=names.get(one.actor_id, NOBODY) if one.actor_id else NOBODY,
            door=show.words(one.door),
            at=one.changed_at,
            fields=fields,
        )
        for one, fields in zip(found, values_of_each(found, actor), strict=True)
    ]


def has_history(model: type[models.Model]) -> bool:
    """Whether changes of a model's rows are kept."""
    return any(one.model is model for one in everything_audited().values())


def values_of_each(
    changes: Sequence[Change], actor: Actor
) -> list[tuple[tuple[str, str, str], ...]]:
    """Field, before and after in words, by name; what is empty on both sides says nothing."""
    return [
        tuple(
            (show.words(name), _shown(before), _shown(after))
            for name, (before, after) in sorted(fields.items())
            if before not in _EMPTY or after not in _EMPTY
        )
        for fields in fields_of_each(changes, actor)
    ]


_EMPTY: tuple[Any, ...] = (None, "", [], {})


def _shown(value: Any) -> str:
    return show.NOTHING if value in _EMPTY else str(value)[:LONGEST_VALUE]
