"""Bearer tokens, API keys and back-office sessions become actors. A token needs no query."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from cachetools import TTLCache
from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.utils import aware_utcnow

from apps.core.actors import Actor
from apps.core.errors import NotSignedIn
from apps.users.selectors import (
    NOTICED_WITHIN_SECONDS,
    actor_for,
    current_standing,
    ended_sign_ins,
)
from apps.users.services.api_keys import key_with
from apps.users.services.sign_ins import Visitor
from apps.users.services.tokens import AccessToken


class TokenRejected(NotSignedIn):
    """The bearer token is malformed, expired or no longer valid."""

    reason = "token_rejected"
    message = "The access token is not valid any more. Refresh it or sign in again."


class KeyRejected(NotSignedIn):
    """The API key is unknown, wrong, expired or revoked. Never says which."""

    reason = "api_key_rejected"
    message = "This API key is not valid."


def visitor_of(request: Any, *, door: str) -> Visitor:
    """Whoever makes a request, before it is known who that is."""
    plain = getattr(request, "_request", request)
    return Visitor(plain.META.get("REMOTE_ADDR", ""), door, plain.request_id)


class BearerToken(BaseAuthentication):
    """`Authorization: Bearer …` with an access token of ours."""

    def authenticate(self, request: Request) -> tuple[Actor, Any] | None:
        """The actor a token stands for, or None without one. Raises TokenRejected."""
        scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            token = _checked(text.strip())
            user_id, version = UUID(token["user_id"]), token["token_version"]
            sign_in_id = UUID(token["sign_in"])
            scopes = token["scope"].split() if "scope" in token else None
        except (TokenError, KeyError, ValueError, AttributeError):
            raise TokenRejected from None
        standing = current_standing(user_id)
        if standing is None or standing.token_version != version or sign_in_id in ended_sign_ins():
            raise TokenRejected
        actor = actor_for(
            user_id,
            door="rest",
            request_id=request._request.request_id,  # type: ignore[attr-defined]
            scopes=scopes,
        )
        if actor is None:
            raise TokenRejected
        structlog.contextvars.bind_contextvars(user_id=str(user_id))
        return actor, token

    def authenticate_header(self, request: Request) -> str:
        """What a client is told to send."""
        return "Bearer"


_tokens: TTLCache[str, AccessToken] = TTLCache(10_000, NOTICED_WITHIN_SECONDS)


def _checked(text: str) -> AccessToken:
    """The token a text is; that it is ours is worked out once in a while. Raises TokenError."""
    token = _tokens.get(text)
    if token is None:
        token = _tokens[text] = AccessToken(text)  # type: ignore[arg-type]
    else:
        token.check_exp(current_time=aware_utcnow())
    return token


def forget_tokens() -> None:
    """Check every token anew in this process."""
    _tokens.clear()


class ApiKeyHeader(BaseAuthentication):
    """`X-API-Key: <prefix>.<secret>` of a machine client."""

    def authenticate(self, request: Request) -> tuple[Actor, Any] | None:
        """The client a key stands for, or None without one. Raises KeyRejected."""
        text = request.META.get("HTTP_X_API_KEY")
        if text is None:
            return None
        prefix, _, secret = text.strip().partition(".")
        key = key_with(prefix=prefix, secret=secret)
        actor = key and actor_for(
            key.user_id,
            door="rest",
            request_id=request._request.request_id,  # type: ignore[attr-defined]
            scopes=key.scopes,
        )
        if not actor:
            raise KeyRejected
        structlog.contextvars.bind_contextvars(user_id=str(actor.id), api_key=prefix)
        return actor, key


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


class ApiKeyReference(OpenApiAuthenticationExtension):
    """The API key in the API reference."""

    target_class = ApiKeyHeader
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """A header of its own."""
        return {"type": "apiKey", "in": "header", "name": "X-API-Key"}


class SessionReference(OpenApiAuthenticationExtension):
    """The back-office session in the API reference."""

    target_class = Session
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Django's session cookie."""
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
