"""Bearer tokens and back-office sessions become actors. A token needs no query."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken

from apps.core.actors import Actor
from apps.core.errors import NotSignedIn
from apps.users.selectors import actor_for, current_standing


class TokenRejected(NotSignedIn):
    """The bearer token is malformed, expired or no longer valid."""

    reason = "token_rejected"
    message = "The access token is not valid any more. Refresh it or sign in again."


class BearerToken(BaseAuthentication):
    """`Authorization: Bearer …` with an access token of ours."""

    def authenticate(self, request: Request) -> tuple[Actor, Any] | None:
        """The actor a token stands for, or None without one. Raises TokenRejected."""
        scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            token = AccessToken(text.strip())
            user_id, version = UUID(token["user_id"]), token["token_version"]
        except (TokenError, KeyError, ValueError):
            raise TokenRejected from None
        standing = current_standing(user_id)
        if standing is None or standing.token_version != version:
            raise TokenRejected
        actor = actor_for(user_id, door="rest", request_id=request._request.request_id)  # type: ignore[attr-defined]
        if actor is None:
            raise TokenRejected
        structlog.contextvars.bind_contextvars(user_id=str(user_id))
        return actor, token

    def authenticate_header(self, request: Request) -> str:
        """What a client is told to send."""
        return "Bearer"


class Session(SessionAuthentication):
    """A back-office session; unsafe methods need the CSRF token."""

    def authenticate(self, request: Request) -> tuple[Actor, Any] | None:
        """The actor of the session, or None without one."""
        signed_in = super().authenticate(request)
        if signed_in is None:
            return None
        actor = actor_for(
            signed_in[0].pk,
            door="rest",
            request_id=request._request.request_id,  # type: ignore[attr-defined]
        )
        return (actor, None) if actor else None


class BearerTokenReference(OpenApiAuthenticationExtension):
    """The bearer token in the API reference."""

    target_class = BearerToken
    name = "bearerToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """HTTP bearer with a JWT."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class SessionReference(OpenApiAuthenticationExtension):
    """The back-office session in the API reference."""

    target_class = Session
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Django's session cookie."""
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
