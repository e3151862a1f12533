"""Sign-ins with tokens: a short access token, and a refresh token that works exactly once.

A sign-in is one row that names the only refresh token still valid. Refreshing locks the row, so of
two refreshes at once one wins; an older token that turns up again was stolen or leaked, and ends
the sign-in for everybody who holds a token of it (sales-system-architecture, Security Model).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from uuid import UUID

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from apps.core.identifiers import new_id
from apps.users.errors import RefreshTokenReused, SignInEnded, WrongCredentials
from apps.users.models import SignIn, User


@dataclass(frozen=True)
class Tokens:
    """What a client gets on signing in. `expires_in` is the access token's life in seconds."""

    access: str
    refresh: str
    expires_in: int


@transaction.atomic
def sign_in(*, email: str, password: str) -> Tokens:
    """Sign a person in with e-mail and password. Raises WrongCredentials."""
    user = User.objects.active().filter(email__iexact=email).first()
    # Unknown addresses cost the same time as wrong passwords, so nobody can list our people.
    known = check_password(password, user.password if user else _nobodys_password())
    if user is None or not known:
        raise WrongCredentials
    user.last_login = timezone.now()
    user.save(update_fields=["last_login", "is_superuser"])
    started = SignIn.objects.create(
        user=user,
        current_token=new_id(),
        expires_at=timezone.now() + api_settings.REFRESH_TOKEN_LIFETIME,
    )
    return _tokens(started, user)


def refresh_tokens(*, refresh: str) -> Tokens:
    """Exchange a refresh token for new tokens. Raises SignInEnded, RefreshTokenReused."""
    sign_in_id, token_id = _read(refresh)
    with transaction.atomic():
        current = (
            SignIn.objects.select_for_update(of=("self",))
            .select_related("user")
            .filter(pk=sign_in_id)
            .first()
        )
        if current is None or current.ended_at or current.expires_at <= timezone.now():
            raise SignInEnded
        if not current.user.is_active:
            raise SignInEnded
        reused = current.current_token != token_id
        if reused:
            current.ended_at, current.ended_because = timezone.now(), "refresh token reused"
        else:
            current.current_token = new_id()
        current.save()
    if reused:
        raise RefreshTokenReused
    return _tokens(current, current.user)


@transaction.atomic
def sign_out(*, refresh: str) -> None:
    """End a sign-in. Ending it twice is fine. Raises SignInEnded for a token that is not ours."""
    sign_in_id, _ = _read(refresh)
    SignIn.objects.filter(pk=sign_in_id, ended_at=None).update(
        ended_at=timezone.now(), ended_because="signed out"
    )


def _read(refresh: str) -> tuple[UUID, UUID]:
    try:
        token = RefreshToken(refresh)  # type: ignore[arg-type]
        return UUID(token["sign_in"]), UUID(token["jti"])
    except (TokenError, KeyError, ValueError):
        raise SignInEnded from None


def _tokens(current: SignIn, user: User) -> Tokens:
    lifetime: timedelta = api_settings.ACCESS_TOKEN_LIFETIME
    refresh = RefreshToken()
    refresh["jti"] = str(current.current_token)
    refresh["sign_in"] = str(current.pk)
    refresh["exp"] = int(current.expires_at.timestamp())
    access = AccessToken()
    access["user_id"] = str(user.pk)
    access["role"] = user.role
    access["token_version"] = user.token_version
    return Tokens(str(access), str(refresh), int(lifetime.total_seconds()))


@cache
def _nobodys_password() -> str:
    return make_password("nobody")
