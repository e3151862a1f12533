"""Sign-ins with tokens: a short access token, and a refresh token that works exactly once.

A sign-in is one row that names the only refresh token still valid. Refreshing locks the row, so of
two refreshes at once one wins; an older token that turns up again was stolen or leaked, and ends
the sign-in for everybody who holds a token of it (sales-system-architecture, Security Model).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import Token

from apps.core.actors import Actor, system_actor
from apps.core.commands import acting
from apps.core.identifiers import new_id
from apps.core.journal import publish
from apps.users.errors import (
    RefreshTokenReused,
    SecondFactorNeeded,
    SignInEnded,
    TooManySignIns,
    WrongCode,
    WrongCredentials,
)
from apps.users.events import UserSignedIn, UserSignedOut, UserSignInRefused
from apps.users.models import ApiKey, Application, SignIn, User
from apps.users.selectors import forget_standings
from apps.users.services.attempts import digest_of_name, from_address, on_account
from apps.users.services.second_factor import check_second_factor, has_second_factor, must_enrol
from apps.users.services.tokens import RefreshToken, access_lifetime, access_token, refresh_token

KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Visitor:
    """Whoever is at a door, before it is known who that is."""

    address: str
    door: str
    request_id: str = ""

    def as_actor(self, user: User | None = None) -> Actor:
        """The person who turned out to be the visitor; before that, the platform."""
        if user is None:
            return system_actor(door=self.door, request_id=self.request_id)
        return Actor(user.pk, user.role, frozenset(), self.door, self.request_id)


@dataclass(frozen=True)
class Tokens:
    """What a client gets on signing in. `expires_in` is the access token's life in seconds."""

    access: str
    refresh: str
    expires_in: int


def sign_in(*, email: str, password: str, visitor: Visitor, code: str = "") -> Tokens:
    """Sign a person in with e-mail and password, and a code where one is needed.

    Raises WrongCredentials, TooManySignIns, SecondFactorNeeded, WrongCode.
    """
    user = person_with(email=email, password=password, visitor=visitor)
    if must_enrol(user):
        raise SecondFactorNeeded("Sign in to the back office once, to enrol a second factor.")
    if has_second_factor(user):
        if not code:
            raise SecondFactorNeeded
        take_code(user=user, code=code, visitor=visitor)
    return tokens_of(start_sign_in(user=user, method="password", visitor=visitor))


def person_with(*, email: str, password: str, visitor: Visitor) -> User:
    """The person with an address and a password. Raises WrongCredentials, TooManySignIns.

    Whatever is wrong takes the same time and is told alike, so nobody can list our people or find
    out that an account is locked.
    """
    address, account = from_address(visitor.address), on_account(email)
    may_try, address_locked_for = address.take()
    if not may_try:
        raise TooManySignIns(retry_after=address_locked_for)
    is_looked_at, locked_for = account.take()
    user = User.objects.filter(email__iexact=email).first()
    known = check_password(password, user.password if user else _nobodys_password())
    if user is None or not known or not is_looked_at or not user.is_active:
        _tell_refusal(
            UUID(bytes=digest_of_name(email)) if user is None else user.pk,
            because="wrong credentials" if is_looked_at else "locked",
            locked_for=locked_for,
            visitor=visitor,
        )
        if address_locked_for:
            _tell_refusal(
                UUID(bytes=digest_of_name(visitor.address)),
                because="too many from one address",
                locked_for=address_locked_for,
                visitor=visitor,
            )
        raise WrongCredentials
    address.give_back()
    account.forget()
    return user


def take_code(*, user: User, code: str, visitor: Visitor) -> None:
    """Take the code of somebody whose password was right. Raises WrongCode."""
    try:
        check_second_factor(user=user, code=code)
    except WrongCode:
        _tell_refusal(user.pk, because="wrong code", locked_for=0, visitor=visitor)
        raise


def _tell_refusal(subject_id: UUID, *, because: str, locked_for: int, visitor: Visitor) -> None:
    with acting(actor := visitor.as_actor()):
        publish(
            UserSignInRefused(subject_id=subject_id, because=because, locked_for=locked_for),
            actor=actor,
        )


@cache
def _nobodys_password() -> str:
    return make_password("nobody")


def start_sign_in(
    *,
    user: User,
    method: str,
    visitor: Visitor,
    application: Application | None = None,
    api_key: ApiKey | None = None,
    scopes: Collection[str] | None = None,
    lifetime: timedelta | None = None,
) -> SignIn:
    """Begin a chain of tokens for somebody who proved who they are; `scopes` narrow the role."""
    with acting(visitor.as_actor(user)):
        started = SignIn.objects.create(
            user=user,
            application=application,
            api_key=api_key,
            scopes=None if scopes is None else sorted(scopes),
            current_token=new_id(),
            expires_at=timezone.now() + (lifetime or api_settings.REFRESH_TOKEN_LIFETIME),
        )
        note_sign_in(user=user, method=method, visitor=visitor)
        return started


def note_sign_in(*, user: User, method: str, visitor: Visitor) -> None:
    """Tell that somebody signed in, by tokens or to the back office."""
    with acting(actor := visitor.as_actor(user)):
        User.objects.filter(pk=user.pk).update(last_login=timezone.now())
        publish(UserSignedIn(user_id=user.pk, method=method), actor=actor)


def refresh_tokens(*, refresh: str) -> Tokens:
    """Exchange a refresh token for new tokens. Raises SignInEnded, RefreshTokenReused."""
    return tokens_of(exchange(read_token(RefreshToken, refresh)))


def exchange(token: Token, *, application: Application | None = None) -> SignIn:
    """Let a sign-in go on with its next token; the one that is exchanged never works again.

    Raises:
        SignInEnded: it ended, or belongs to another application.
        RefreshTokenReused: the token was exchanged before, which ends the sign-in.
    """
    sign_in_id, token_id = UUID(token["sign_in"]), UUID(token["jti"])
    with transaction.atomic():
        current = _locked(sign_in_id)
        if current.application_id != (application and application.pk):
            raise SignInEnded
        if reused := current.current_token != token_id:
            end_sign_ins(current, because="token reused")
        else:
            current.current_token = new_id()
            current.save(update_fields=["current_token", "updated_at"])
    if reused:
        raise RefreshTokenReused
    return current


def _locked(sign_in_id: UUID) -> SignIn:
    """A sign-in that goes on, locked. Raises SignInEnded."""
    found = (
        SignIn.objects.select_for_update(of=("self",))
        .select_related("user")
        .filter(pk=sign_in_id, ended_at=None, expires_at__gt=timezone.now(), user__is_active=True)
        .first()
    )
    if found is None:
        raise SignInEnded
    return found


@transaction.atomic
def sign_out(*, refresh: str) -> None:
    """End a sign-in. Ending it twice is fine. Raises SignInEnded for a token that is not ours."""
    token = read_token(RefreshToken, refresh)
    found = SignIn.objects.select_for_update().filter(pk=token["sign_in"], ended_at=None).first()
    if found is not None:
        end_sign_ins(found, because="signed out")


def end_sign_ins(*sign_ins: SignIn, because: str, actor: Actor | None = None) -> None:
    """End sign-ins that are locked: no token of theirs is taken any more, within seconds."""
    for one in sign_ins:
        one.ended_at, one.ended_because = timezone.now(), because
    SignIn.objects.bulk_update(sign_ins, ["ended_at", "ended_because"])
    publish(
        *(
            UserSignedOut(user_id=one.user_id, sign_in_id=one.pk, because=because)
            for one in sign_ins
        ),
        actor=actor or system_actor(door="sign-in"),
    )
    transaction.on_commit(forget_standings)


def read_token(kind: type[Token], text: str) -> Token:
    """A token of ours that has not expired. Raises SignInEnded."""
    try:
        token: Any = kind(text)  # type: ignore[arg-type]
        UUID(token["sign_in"]), UUID(token["jti"])
    except (TokenError, KeyError, ValueError, TypeError, AttributeError):
        raise SignInEnded from None
    return token


def tokens_of(current: SignIn) -> Tokens:
    """The tokens with which a sign-in goes on."""
    return Tokens(access_token(current), refresh_token(current), access_lifetime())
