"""OAuth 2: machine clients by their key, applications for people by code and PKCE.

Everything hangs on the sign-in's one row (RFC 6749, 7636, 7009): a code is the first token of its
chain, so it works once, and its reuse ends what was got for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from apps.core.actors import Actor
from apps.core.permissions import declared
from apps.users.errors import OAuthRefusal, RefreshTokenReused, SignInEnded
from apps.users.models import ApiKey, Application, SignIn, User
from apps.users.rules.pkce import proves
from apps.users.selectors import KeyStanding, current_standing
from apps.users.services.api_keys import key_with
from apps.users.services.sign_ins import (
    Visitor,
    end_sign_ins,
    exchange,
    read_token,
    start_sign_in,
)
from apps.users.services.tokens import (
    AccessToken,
    AuthorizationCode,
    RefreshToken,
    access_lifetime,
    access_token,
    authorization_code,
    refresh_token,
)


@dataclass(frozen=True)
class Granted:
    """The answer of `/oauth/token`; machine clients get no refresh token."""

    access_token: str
    expires_in: int
    scope: str
    refresh_token: str | None = None


@dataclass(frozen=True)
class Proposal:
    """What an application asks a person for."""

    application: Application
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str


def grant_to_client(*, client_id: str, secret: str, scope: str | None, visitor: Visitor) -> Granted:
    """Give a machine client a token for its key. Raises OAuthRefusal."""
    key = _client(client_id, secret)
    held = _held_by(key.user_id, among=key.scopes)
    scopes = key.scopes if scope is None else _asked(scope, within=key.scopes)
    granted = held if scopes is None else held.intersection(scopes)
    if not granted:
        raise OAuthRefusal("None of these scopes can be given.", reason="invalid_scope")
    started = start_sign_in(
        user=User.objects.get(pk=key.user_id),
        method="api key",
        visitor=visitor,
        api_key=ApiKey.objects.get(pk=key.key_id),
        scopes=scopes,
        lifetime=timedelta(seconds=access_lifetime()),
    )
    return Granted(access_token(started), access_lifetime(), " ".join(sorted(granted)))


def read_proposal(parameters: Mapping[str, str]) -> Proposal:
    """What `/oauth/authorize` is asked for.

    Raises:
        OAuthRefusal: with `returns_to` where the application may be told.
    """
    application = _application(parameters.get("client_id", ""))
    redirect_uri = parameters.get("redirect_uri", "")
    if redirect_uri not in application.redirect_uris:
        raise OAuthRefusal("The application did not register this redirect_uri.")
    try:
        return _checked_proposal(application, redirect_uri, parameters)
    except OAuthRefusal as refusal:
        raise OAuthRefusal(
            refusal.message, reason=refusal.reason, returns_to=redirect_uri
        ) from None


def _checked_proposal(
    application: Application, redirect_uri: str, parameters: Mapping[str, str]
) -> Proposal:
    if parameters.get("response_type") != "code":
        raise OAuthRefusal("Only codes are given.", reason="unsupported_response_type")
    challenge = parameters.get("code_challenge", "")
    if parameters.get("code_challenge_method") != "S256" or len(challenge) != 43:
        raise OAuthRefusal("A code_challenge by the method S256 is needed.")
    scopes = _asked(parameters.get("scope"), within=application.scopes)
    return Proposal(application, redirect_uri, tuple(scopes), challenge)


def consent(*, proposal: Proposal, visitor: Visitor, actor: Actor) -> str:
    """Let an application act for the person who asks; returns its code. Raises OAuthRefusal."""
    granted = actor.permissions.intersection(proposal.scopes)
    if not granted:
        raise OAuthRefusal(
            "You have none of these rights.",
            reason="invalid_scope",
            returns_to=proposal.redirect_uri,
        )
    started = start_sign_in(
        user=User.objects.get(pk=actor.id),
        method="application",
        visitor=visitor,
        application=proposal.application,
        scopes=granted,
    )
    return authorization_code(
        started, redirect_uri=proposal.redirect_uri, challenge=proposal.challenge
    )


def grant_for_code(*, client_id: str, code: str, redirect_uri: str, verifier: str) -> Granted:
    """Exchange a code for tokens, once. Raises OAuthRefusal."""
    application = _application(client_id)
    try:
        token = read_token(AuthorizationCode, code)
        if token["redirect_uri"] != redirect_uri:
            raise OAuthRefusal("The redirect_uri is another one.", reason="invalid_grant")
        if not proves(verifier, challenge=token["challenge"]):
            raise OAuthRefusal("The code_verifier is wrong.", reason="invalid_grant")
        return _granted(exchange(token, application=application))
    except (SignInEnded, RefreshTokenReused):
        raise OAuthRefusal("The code is not valid any more.", reason="invalid_grant") from None


def grant_for_refresh(*, client_id: str, refresh: str, scope: str | None) -> Granted:
    """Exchange an application's refresh token for new tokens, once. Raises OAuthRefusal."""
    application = _application(client_id)
    try:
        token = read_token(RefreshToken, refresh)
        before = SignIn.objects.filter(pk=token["sign_in"]).first()
        asked = None if scope is None or before is None else _asked(scope, within=before.scopes)
        return _granted(exchange(token, application=application), scopes=asked)
    except (SignInEnded, RefreshTokenReused):
        raise OAuthRefusal("The token is not valid any more.", reason="invalid_grant") from None


def _granted(current: SignIn, *, scopes: Collection[str] | None = None) -> Granted:
    held = _held_by(current.user_id, among=current.scopes if scopes is None else scopes)
    return Granted(
        access_token(current, scopes=scopes),
        access_lifetime(),
        " ".join(sorted(held)),
        refresh_token(current),
    )


@transaction.atomic
def revoke_token(*, token: str, client_id: str, secret: str | None) -> None:
    """End the sign-in that a token belongs to; what is no token of ours is over already.

    Raises OAuthRefusal when the token is another client's.
    """
    key = None if secret is None else _client(client_id, secret)
    application = None if key else _application(client_id)
    found = _sign_in_of(token)
    if found is None:
        return
    owner = key.key_id if key else application and application.pk
    if owner not in (found.api_key_id, found.application_id):
        raise OAuthRefusal("The token is another client's.", reason="unauthorized_client")
    if found.ended_at is None:
        end_sign_ins(found, because="revoked")


def _sign_in_of(token: str) -> SignIn | None:
    """The sign-in that a token belongs to, locked."""
    for kind in (RefreshToken, AccessToken):
        try:
            sign_in_id = read_token(kind, token)["sign_in"]
        except SignInEnded:
            continue
        return SignIn.objects.select_for_update().filter(pk=sign_in_id).first()
    return None


def _client(client_id: str, secret: str) -> KeyStanding:
    """The machine client with an id and a secret."""
    key = key_with(prefix=client_id, secret=secret)
    if key is None:
        raise OAuthRefusal("The client is unknown or its secret wrong.", reason="invalid_client")
    return key


def _application(client_id: str) -> Application:
    """The admitted application with an id."""
    try:
        found = Application.objects.filter(pk=UUID(client_id), ended_at=None).first()
    except ValueError:
        found = None
    if found is None:
        raise OAuthRefusal("There is no such application.", reason="invalid_client")
    return found


def _asked(scope: str | None, *, within: Collection[str] | None) -> list[str]:
    """Scopes as they were asked for; all that can be given when none are named."""
    known = {one.name for one in declared()}
    offered = known if within is None else known.intersection(within)
    asked = offered if scope is None else set(scope.split())
    if not asked or not asked <= offered:
        raise OAuthRefusal("Such a scope can't be given.", reason="invalid_scope")
    return sorted(asked)


def _held_by(user_id: UUID, *, among: Collection[str] | None) -> frozenset[str]:
    """What somebody may do right now, of some permissions."""
    standing = current_standing(user_id)
    held = standing.permissions if standing else frozenset()
    return held if among is None else held.intersection(among)
