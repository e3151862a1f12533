"""Gives pages the actor behind the session."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from apps.core.actors import Actor
from apps.users.selectors import actor_for


class ActorOfSession:
    """Sets `request.actor`: whoever is signed in, resolved when first needed, or None."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.actor = SimpleLazyObject(lambda: self.resolve(request))  # type: ignore[attr-defined]
        return self.get_response(request)

    @staticmethod
    def resolve(request: HttpRequest) -> Actor | None:
        """The actor of the session's person."""
        if not request.user.is_authenticated:
            return None
        return actor_for(
            request.user.pk,
            door="back_office",
            request_id=request.request_id,  # type: ignore[attr-defined]
        )
