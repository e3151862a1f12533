"""Keys of machine clients: giving them, replacing their secrets, taking them away.

A secret has 256 random bits, so a plain digest of it tells nobody anything; it is shown once.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from cachetools import TTLCache
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.errors import InvalidInput, NotFound
from apps.core.journal import publish
from apps.core.permissions import declared, require
from apps.users.errors import KeyRevoked, NotAClient, ScopeTooWide
from apps.users.events import ApiKeyIssued, ApiKeyRevoked, ApiKeyRotated
from apps.users.models import ApiKey, Role, SignIn, User
from apps.users.permissions import MANAGE_CLIENT
from apps.users.selectors import KeyStanding, forget_standings, key_standing, permission_matrix
from apps.users.services.sign_ins import end_sign_ins

LONGEST_LIFE = timedelta(days=366)
LONGEST_GRACE = timedelta(days=7)
USE_NOTED_EVERY = timedelta(minutes=1)
_NOBODYS_DIGEST = sha256(b"").hexdigest()


@dataclass(frozen=True)
class IssuedKey:
    """A key with its secret, which nobody can show again."""

    owner: ApiKey
    secret: str

    @property
    def text(self) -> str:
        """What the client sends."""
        return f"{self.owner.prefix}.{self.secret}"


@command
def issue_api_key(
    *,
    user_id: UUID,
    name: str,
    expires_at: datetime,
    scopes: Sequence[str] | None = None,
    actor: Actor,
) -> IssuedKey:
    """Give a machine client a key; `scopes` narrow what its role may do.

    Raises NotAllowed, InvalidInput, NotAClient, ScopeTooWide.
    """
    require(actor, MANAGE_CLIENT)
    user = User.objects.active().filter(pk=user_id).first()
    if user is None:
        raise InvalidInput.field("user_id", "There is no such client.")
    if user.role != Role.INTEGRATION:
        raise NotAClient
    now = timezone.now()
    if not now < expires_at <= now + LONGEST_LIFE:
        raise InvalidInput.field("expires_at", "Give a moment within the next 366 days.")
    given = checked_scopes(scopes)
    _refuse_wider_rights(given, actor)
    secret = secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        user=user,
        name=name,
        prefix=f"key_{secrets.token_hex(6)}",
        digest=digest_of(secret),
        scopes=given,
        expires_at=expires_at,
    )
    publish(
        ApiKeyIssued(
            api_key_id=key.pk,
            user_id=user.pk,
            scopes=None if given is None else tuple(given),
            expires_at=expires_at,
        ),
        actor=actor,
    )
    transaction.on_commit(forget_standings)
    return IssuedKey(key, secret)


@command
def rotate_api_key(
    *, api_key_id: UUID, actor: Actor, grace_minutes: int = 60, expires_at: datetime | None = None
) -> IssuedKey:
    """Replace a key's secret; the former one works on for a while, and then no more.

    Raises NotAllowed, NotFound, InvalidInput, KeyRevoked, ScopeTooWide.
    """
    key = _locked(api_key_id, actor)
    if key.revoked_at is not None:
        raise KeyRevoked
    _refuse_wider_rights(key.scopes, actor)
    now = timezone.now()
    grace = timedelta(minutes=grace_minutes)
    if not timedelta(0) <= grace <= LONGEST_GRACE:
        raise InvalidInput.field("grace_minutes", "Give 0 to 10,080 minutes.")
    if expires_at is not None and not now < expires_at <= now + LONGEST_LIFE:
        raise InvalidInput.field("expires_at", "Give a moment within the next 366 days.")
    secret = secrets.token_urlsafe(32)
    key.former_digest, key.former_until = key.digest, now + grace
    key.digest = digest_of(secret)
    key.expires_at = expires_at or key.expires_at
    key.save()
    publish(
        ApiKeyRotated(api_key_id=key.pk, user_id=key.user_id, former_until=key.former_until),
        actor=actor,
    )
    transaction.on_commit(forget_standings)
    return IssuedKey(key, secret)


@command
def revoke_api_key(*, api_key_id: UUID, actor: Actor) -> ApiKey:
    """Take a key away, with all tokens that were got for it; twice is fine.

    Raises NotAllowed, NotFound.
    """
    key = _locked(api_key_id, actor)
    if key.revoked_at is not None:
        return key
    key.revoked_at = timezone.now()
    key.save(update_fields=["revoked_at", "updated_at"])
    going_on = SignIn.objects.select_for_update().filter(
        api_key=key, ended_at=None, expires_at__gt=key.revoked_at
    )
    end_sign_ins(*going_on, because="key revoked", actor=actor)
    publish(ApiKeyRevoked(api_key_id=key.pk, user_id=key.user_id), actor=actor)
    transaction.on_commit(forget_standings)
    return key


def _refuse_wider_rights(scopes: Sequence[str] | None, actor: Actor) -> None:
    """Whoever holds a secret holds its rights: nobody gets more than they have."""
    held = permission_matrix().get(Role.INTEGRATION, frozenset())
    if not actor.is_system and not actor.permissions >= held.intersection(scopes or held):
        raise ScopeTooWide


def _locked(api_key_id: UUID, actor: Actor) -> ApiKey:
    require(actor, MANAGE_CLIENT)
    key = ApiKey.objects.select_for_update().filter(pk=api_key_id).first()
    if key is None:
        raise NotFound
    return key


def checked_scopes(scopes: Sequence[str] | None) -> list[str] | None:
    """Scopes in order, each one once. Raises InvalidInput for what is no permission."""
    if scopes is None:
        return None
    if unknown := sorted(set(scopes) - {one.name for one in declared()}):
        raise InvalidInput.field("scopes", f"There is no permission {', '.join(unknown)}.")
    if not scopes:
        raise InvalidInput.field("scopes", "Give a permission, or null for all of the role's.")
    return sorted(set(scopes))


def digest_of(secret: str) -> str:
    """What is kept of a secret."""
    return sha256(secret.encode()).hexdigest()


_noted: TTLCache[str, bool] = TTLCache(20_000, USE_NOTED_EVERY.total_seconds())


def key_with(*, prefix: str, secret: str) -> KeyStanding | None:
    """The key with this prefix and secret, whose use is noted; None when there is none.

    Unknown prefixes cost the same comparisons as wrong secrets.
    """
    standing = key_standing(prefix) if len(prefix) <= 20 else None
    now, digest = timezone.now(), digest_of(secret)
    if standing is None:
        _NOBODY.opens_with(digest, now=now)
        return None
    if not standing.opens_with(digest, now=now):
        return None
    if prefix not in _noted:
        _noted[prefix] = True
        ApiKey.objects.filter(
            Q(last_used_at=None) | Q(last_used_at__lt=now - USE_NOTED_EVERY), pk=standing.key_id
        ).update(last_used_at=now)
    return standing


_NOBODY = KeyStanding(
    key_id=UUID(int=0),
    user_id=UUID(int=0),
    prefix="",
    scopes=None,
    expires_at=datetime.max.replace(tzinfo=UTC),
    digest=_NOBODYS_DIGEST,
    former_digest=_NOBODYS_DIGEST,
    former_until=None,
)


def forget_uses() -> None:
    """Note the next use of every key."""
    _noted.clear()
