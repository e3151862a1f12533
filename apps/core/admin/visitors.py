"""Who is at a page."""

from __future__ import annotations

from django.http import HttpRequest

from apps.core.actors import Actor


def actor_of(request: HttpRequest) -> Actor:
    """Whoever is signed in."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor


def may(request: HttpRequest, permission: str) -> bool:
    """Whether somebody is signed in who holds a permission."""
    return bool(actor_of(request)) and actor_of(request).may(permission)
