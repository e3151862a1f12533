"""Signing in by an identity provider: OpenID Connect with state, nonce and PKCE.

What begins is kept in the visitor's session and used once. A person is known by the provider's
subject; the e-mail address connects the two once, and only when the provider verified it.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
import urllib.request
from dataclasses import dataclass
from functools import lru_cache
from hmac import compare_digest
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import jwt
from cachetools import TTLCache, cached
from django.conf import settings

from apps.core.actors import Actor
from apps.core.commands import acting, command
from apps.core.errors import Refusal
from apps.core.journal import publish
from apps.users.errors import SingleSignOnRefused
from apps.users.events import TerritoriesClaimed, UserSignInRefused
from apps.users.models import ExternalIdentity, Role, User
from apps.users.rules.claims import ClaimsRefused, Identity, Provider, identity_of
from apps.users.rules.pkce import challenge_of, fresh_verifier
from apps.users.services.attempts import digest_of_name
from apps.users.services.people import add_user, change_access
from apps.users.services.sign_ins import Visitor

log = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "ES256")
PATIENCE_SECONDS = 5
LARGEST_ANSWER = 200_000
BEGUN_SECONDS = 600
LEEWAY_SECONDS = 30
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Begun:
    """Where the visitor is sent, and what the session keeps until they are back."""

    address: str
    kept: dict[str, Any]


def providers() -> tuple[Provider, ...]:
    """The providers of the settings."""
    return tuple(Provider(**one) for one in settings.SINGLE_SIGN_ON)


def _provider(name: str) -> Provider:
    for one in providers():
        if one.name == name:
            return one
    raise SingleSignOnRefused


def begin_single_sign_on(*, provider_name: str, redirect_uri: str) -> Begun:
    """Send a visitor to a provider. Raises SingleSignOnRefused."""
    provider = _provider(provider_name)
    verifier = fresh_verifier()
    kept = {
        "provider": provider.name,
        "state": secrets.token_urlsafe(32),
        "nonce": secrets.token_urlsafe(32),
        "verifier": verifier,
        "redirect_uri": redirect_uri,
        "at": time.time(),
    }
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(provider.scopes),
        "state": kept["state"],
        "nonce": kept["nonce"],
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    address = _described(provider.issuer)["authorization_endpoint"]
    glue = "&" if urlsplit(address).query else "?"
    return Begun(f"{address}{glue}{urlencode(asked)}", kept)


def person_from_provider(
    *, kept: dict[str, Any] | None, state: str, code: str, visitor: Visitor
) -> User:
    """The person whom a provider sends back. Raises SingleSignOnRefused.

    Args:
        kept: what the session kept since `begin_single_sign_on`.
        state: as it came back.
        code: as it came back.
        visitor: who came back.
    """
    if kept is None or time.time() - kept["at"] > BEGUN_SECONDS:
        raise SingleSignOnRefused
    if not code or not compare_digest(kept["state"].encode(), state.encode()):
        raise SingleSignOnRefused
    provider = _provider(kept["provider"])
    subject = provider.issuer
    try:
        claims = _claims(provider, code, kept)
        subject = f"{provider.issuer} {claims['sub']}"
        return _person(provider, identity_of(claims, provider), visitor.as_actor())
    except (ClaimsRefused, jwt.PyJWTError, Refusal) as failure:
        _tell_refusal(subject, str(failure), visitor)
        raise SingleSignOnRefused from None


def _claims(provider: Provider, code: str, kept: dict[str, Any]) -> dict[str, Any]:
    """The claims of the token for a code. Raises PyJWTError, ClaimsRefused."""
    described = _described(provider.issuer)
    answer = _fetch(
        described["token_endpoint"],
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": kept["redirect_uri"],
            "client_id": provider.client_id,
            "client_secret": provider.client_secret,
            "code_verifier": kept["verifier"],
        },
    )
    token = answer.get("id_token", "")
    key = _keys(described["jwks_uri"]).get_signing_key_from_jwt(token)
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=ALGORITHMS,
        audience=provider.client_id,
        issuer=provider.issuer,
        leeway=LEEWAY_SECONDS,
        options={"require": ["exp", "iat", "sub", "aud", "iss"]},
    )
    if not compare_digest(str(claims.get("nonce", "")).encode(), kept["nonce"].encode()):
        raise ClaimsRefused("wrong nonce")
    if claims.get("azp", provider.client_id) != provider.client_id:
        raise ClaimsRefused("meant for another client")
    return claims


@command
def _person(provider: Provider, identity: Identity, actor: Actor) -> User:
    """The person an identity belongs to: known, connected by e-mail, or added."""
    known = (
        ExternalIdentity.objects.select_related("user")
        .filter(provider=provider.name, subject=identity.subject)
        .first()
    )
    user = known.user if known else User.objects.filter(email__iexact=identity.email).first()
    if user is None:
        if not provider.creates_people:
            raise ClaimsRefused("unknown person")
        user = add_user(
            email=identity.email,
            name=identity.name,
            role=identity.role or provider.default_role,
            password=None,
            actor=actor,
        )
    if not user.is_active or user.role == Role.INTEGRATION:
        raise ClaimsRefused("access ended")
    if known is None:
        if user.external_identities.filter(provider=provider.name).exists():
            raise ClaimsRefused("somebody else has the e-mail")
        ExternalIdentity.objects.create(user=user, provider=provider.name, subject=identity.subject)
    if identity.role is not None and identity.role != user.role:
        user = change_access(
            user_id=user.pk,
            role=identity.role,
            manager_id=user.manager_id,
            is_active=True,
            actor=actor,
        )
    if identity.territories:
        publish(TerritoriesClaimed(user_id=user.pk, territories=identity.territories), actor=actor)
    return user


def _tell_refusal(subject: str, because: str, visitor: Visitor) -> None:
    because = f"single sign-on: {because}"[:200]
    with acting(actor := visitor.as_actor()):
        publish(
            UserSignInRefused(subject_id=_id_of(subject), because=because, locked_for=0),
            actor=actor,
        )


def _id_of(subject: str) -> UUID:
    """Stands for somebody whom only the provider knows."""
    return UUID(bytes=digest_of_name(subject))


_descriptions: TTLCache[str, dict[str, Any]] = TTLCache(20, 3600)


@cached(_descriptions)
def _described(issuer: str) -> dict[str, Any]:
    """What a provider says of itself. Raises SingleSignOnRefused."""
    described = _fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if described.get("issuer") != issuer:
        raise SingleSignOnRefused
    return described


@lru_cache(maxsize=20)
def _keys(address: str) -> jwt.PyJWKClient:
    """A provider's keys, fetched anew when a token names one that is not among them."""
    _check_safe(address)
    return jwt.PyJWKClient(address, timeout=PATIENCE_SECONDS)


def _fetch(address: str, form: dict[str, str] | None = None) -> dict[str, Any]:
    """A provider's answer in JSON. Raises SingleSignOnRefused."""
    _check_safe(address)
    request = urllib.request.Request(
        address,
        data=None if form is None else urlencode(form).encode(),
        headers={"Accept": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
            answer = json.loads(response.read(LARGEST_ANSWER))
    except (OSError, ValueError) as failure:
        log.warning("the identity provider at %s does not answer: %s", address, failure)
        raise SingleSignOnRefused from None
    if not isinstance(answer, dict):
        raise SingleSignOnRefused
    return answer


def _check_safe(address: str) -> None:
    """Only https, or a provider on the same machine."""
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise SingleSignOnRefused


def forget_providers() -> None:
    """Ask every provider anew what it says of itself."""
    _descriptions.clear()
    _keys.cache_clear()
