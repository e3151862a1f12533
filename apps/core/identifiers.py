"""Identifiers: UUID version 7, so that newer rows sort after older ones."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A new time-ordered identifier."""
    return uuid7()


def made_at(identifier: UUID) -> datetime | None:
    """When an identifier was made; None where it does not say."""
    if identifier.version != 7:
        return None
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)


def identifier_in(text: str) -> UUID | None:
    """The identifier that a text is; None where it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None
