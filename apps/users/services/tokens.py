"""Tokens: one shape for people and clients, signed so that everybody can check and nobody forge.

An access token names who acts, the role and token version it was made for, the sign-in it belongs
to and, where they narrow the role, its scopes. It is checked without a query.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import jwt
from django.conf import settings
from rest_framework_simplejwt import tokens
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.settings import api_settings

from apps.users.models import SignIn
from apps.users.rules.signing import ALGORITHM, KeyRing, fresh_key


def key_ring() -> KeyRing:
    """The keys in use: those of the settings, else one made for this machine."""
    return _ring_of(settings.JWT_SIGNING_KEYS or _local_key(settings.JWT_KEY_FILE))


_ring_of = lru_cache(maxsize=8)(KeyRing.of)


@lru_cache(maxsize=1)
def _local_key(path: Path) -> str:
    """The key kept in a file, made when there is none; of two makers at once the first wins."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent) as file:  # readable by its owner alone
            file.write(fresh_key())
            file.flush()
            with suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text()


class KeyRingBackend(TokenBackend):
    """Signs with the first key and verifies with the one a token names."""

    def encode(self, payload: dict[str, Any]) -> str:
        """A signed token."""
        key = key_ring().first
        claims = {**payload, "iss": settings.TOKEN_ISSUER}
        return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.id})

    def get_verifying_key(self, token: Any) -> Any:
        """The public half of the key that a token names. Raises InvalidTokenError."""
        key = key_ring().named(jwt.get_unverified_header(token).get("kid"))
        if key is None:
            raise jwt.InvalidTokenError("The token names no key of ours.")
        return key.public


_backend = KeyRingBackend(ALGORITHM, issuer=settings.TOKEN_ISSUER)


class AccessToken(tokens.AccessToken):
    """What a request carries."""

    _token_backend = _backend


class RefreshToken(tokens.RefreshToken):
    """What the next access token is asked for with. Its id is the one its sign-in expects."""

    _token_backend = _backend


class AuthorizationCode(tokens.Token):
    """What an application exchanges for its first tokens."""

    token_type = "code"
    lifetime = timedelta(seconds=60)
    _token_backend = _backend


def access_token(current: SignIn, *, scopes: Collection[str] | None = None) -> str:
    """An access token of a sign-in, for all of its scopes or for fewer."""
    token = AccessToken()
    token["user_id"] = str(current.user_id)
    token["role"] = current.user.role
    token["token_version"] = current.user.token_version
    token["sign_in"] = str(current.pk)
    if current.api_key is not None:
        token["client_id"] = current.api_key.prefix
    elif current.application_id is not None:
        token["client_id"] = str(current.application_id)
    if (narrowed := current.scopes if scopes is None else sorted(scopes)) is not None:
        token["scope"] = " ".join(narrowed)
    return str(token)


def refresh_token(current: SignIn) -> str:
    """The refresh token that a sign-in expects next."""
    token = RefreshToken()
    token["jti"] = str(current.current_token)
    token["sign_in"] = str(current.pk)
    token["exp"] = int(current.expires_at.timestamp())
    return str(token)


def authorization_code(current: SignIn, *, redirect_uri: str, challenge: str) -> str:
    """The code that begins a sign-in, bound to an address and to whoever can prove a challenge."""
    token = AuthorizationCode()
    token["jti"] = str(current.current_token)
    token["sign_in"] = str(current.pk)
    token["redirect_uri"] = redirect_uri
    token["challenge"] = challenge
    return str(token)


def access_lifetime() -> int:
    """How long an access token lives, in seconds."""
    lifetime: timedelta = api_settings.ACCESS_TOKEN_LIFETIME
    return int(lifetime.total_seconds())


def public_keys() -> Mapping[str, Any]:
    """The public halves of our keys, as others read them (RFC 7517)."""
    return {"keys": [one.public_form for one in key_ring().keys]}
