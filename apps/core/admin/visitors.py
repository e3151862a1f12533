"""Who is at a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest

from apps.core.accesses import Reading, note_access
from apps.core.actors import Actor


def actor_of(request: HttpRequest) -> Actor:
    """Whoever is signed in."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor


def may(request: HttpRequest, permission: str) -> bool:
    """Whether somebody is signed in who holds a permission."""
    return bool(actor_of(request)) and actor_of(request).may(permission)


def note_shown(actor: Actor, rows: Sequence[Any], reading: Reading = Reading.LISTED) -> None:
    """Note in the access log that somebody is shown rows of one model, if they are about people."""
    if rows:
        note_access(actor, type(rows[0]), [row.pk for row in rows], reading)
