"""Gives pages the actor behind the session and their time zone, and ends sessions in time."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from apps.core.actors import Actor
from apps.users.rules.time_zones import zone_for
from apps.users.selectors import actor_for


class ActorOfSession:
    """Sets `request.actor`: whoever is signed in, resolved when first needed, or None.

    A session ends eight hours after signing in, however busy it is (sales-system-architecture,
    Security Model).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            self.end_in_time(request)
        request.actor = SimpleLazyObject(lambda: self.resolve(request))  # type: ignore[attr-defined]
        return self.get_response(request)

    @staticmethod
    def end_in_time(request: HttpRequest) -> None:
        """Sign out whoever signed in too long ago."""
        if not request.user.is_authenticated:
            return
        now = int(time.time())
        if now - request.session.setdefault("signed_in_at", now) >= settings.SESSION_COOKIE_AGE:
            logout(request)

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


class TimeZoneOfReader:
    """Lets the back office show and take moments in the time zone of whoever is signed in, else in
    the organisation's. Every other door speaks UTC.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/admin"):
            return self.get_response(request)
        name = getattr(request.user, "time_zone", "")
        with timezone.override(zone_for(name, otherwise=settings.ORGANISATION_TIME_ZONE)):
            return self.get_response(request)
