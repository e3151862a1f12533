"""Answers about people: who they are right now, and who reports to whom."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any
from uuid import UUID

from cachetools import TTLCache, cached
from cachetools.keys import hashkey
from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.core.actors import Actor, RateLimit
from apps.core.permissions import declared
from apps.users.models import ApiKey, Role, RolePermission, SignIn, User

# How long a change of role, a revocation or a new matrix may go unnoticed by a process.
NOTICED_WITHIN_SECONDS = 5


@dataclass(frozen=True)
class Standing:
    """What a person may do right now."""

    user_id: UUID
    role: str
    token_version: int
    permissions: frozenset[str]
    rate_limit: RateLimit = RateLimit()


@dataclass(frozen=True)
class KeyStanding:
    """What an API key is good for right now; `former_digest` is taken until `former_until`."""

    key_id: UUID
    user_id: UUID
    prefix: str
    scopes: Collection[str] | None
    expires_at: datetime
    digest: str
    former_digest: str
    former_until: datetime | None

    def opens_with(self, digest: str, *, now: datetime) -> bool:
        """Whether a secret with this digest is the key's."""
        is_current = compare_digest(self.digest, digest)
        is_former = compare_digest(self.former_digest, digest)
        in_time = self.former_until is not None and now < self.former_until
        return now < self.expires_at and (is_current or (is_former and in_time))


_standings: TTLCache[UUID, Standing | None] = TTLCache(20_000, NOTICED_WITHIN_SECONDS)
_matrix: TTLCache[Hashable, dict[str, frozenset[str]]] = TTLCache(1, NOTICED_WITHIN_SECONDS)
_keys: TTLCache[str, KeyStanding | None] = TTLCache(20_000, NOTICED_WITHIN_SECONDS)
_ended: TTLCache[Hashable, frozenset[UUID]] = TTLCache(1, NOTICED_WITHIN_SECONDS)


@cached(_standings)
def current_standing(user_id: UUID) -> Standing | None:
    """The standing of a person; None when they are gone or inactive."""
    found = (
        User.objects.active()
        .filter(pk=user_id)
        .values_list("role", "token_version", "requests_per_minute", "requests_per_second")
        .first()
    )
    if found is None:
        return None
    role, token_version, per_minute, per_second = found
    usual = RateLimit()
    return Standing(
        user_id,
        role,
        token_version,
        permission_matrix().get(role, frozenset()),
        RateLimit(per_minute or usual.per_minute, per_second or usual.per_second),
    )


@cached(_keys)
def key_standing(prefix: str) -> KeyStanding | None:
    """The standing of the key with a prefix; None when there is none or it was revoked."""
    found = (
        ApiKey.objects.filter(
            prefix=prefix, revoked_at=None, user__is_active=True, user__role=Role.INTEGRATION
        )
        .values_list(
            "pk",
            "user_id",
            "prefix",
            "scopes",
            "expires_at",
            "digest",
            "former_digest",
            "former_until",
        )
        .first()
    )
    if found is None:
        return None
    return KeyStanding(*found)


@cached(_matrix, key=lambda: hashkey("matrix"))
def permission_matrix() -> dict[str, frozenset[str]]:
    """Which permissions each role holds now; a permission without a row has its declared roles."""
    held: dict[str, set[str]] = {}
    for permission in declared():
        for role in permission.default_roles:
            held.setdefault(role, set()).add(permission.name)
    rows = (
        RolePermission.objects.filter(effective_from__lte=timezone.now())
        .order_by("role", "permission", "-effective_from")
        .distinct("role", "permission")
        .values_list("role", "permission", "allowed")
    )
    for role, permission_name, allowed in rows:
        names = held.setdefault(role, set())
        names.add(permission_name) if allowed else names.discard(permission_name)
    return {role: frozenset(names) for role, names in held.items()}


def people_with(permission: str) -> list[UUID]:
    """Everybody who signs in and holds a permission by their role."""
    roles = [role for role, names in permission_matrix().items() if permission in names]
    people = User.objects.active().filter(role__in=roles).exclude(role=Role.INTEGRATION)
    return list(people.order_by("pk").values_list("pk", flat=True))


@cached(_ended, key=lambda: hashkey("ended"))
def ended_sign_ins() -> frozenset[UUID]:
    """The sign-ins that ended while access tokens of theirs may still live."""
    lifetime: Any = settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"]
    since = timezone.now() - lifetime - timedelta(minutes=1)
    return frozenset(SignIn.objects.filter(ended_at__gte=since).values_list("pk", flat=True))


def forget_standings() -> None:
    """Look everybody up anew in this process."""
    for known in (_standings, _matrix, _keys, _ended):
        known.clear()


def actor_for(
    user_id: UUID, *, door: str, request_id: str = "", scopes: Collection[str] | None = None
) -> Actor | None:
    """The actor a person is, coming through a door; None when they may not act.

    `scopes` are the permissions they have at most, whatever the role holds.
    """
    standing = current_standing(user_id)
    if standing is None:
        return None
    held = standing.permissions if scopes is None else standing.permissions.intersection(scopes)
    return Actor(user_id, standing.role, held, door, request_id, standing.rate_limit)


_REPORTS = """
WITH RECURSIVE team(id) AS (
    SELECT id FROM users_user WHERE manager_id = %s
    UNION
    SELECT u.id FROM users_user u JOIN team ON u.manager_id = team.id
)
SELECT id FROM team
"""


def reports_of(user_id: UUID) -> tuple[UUID, ...]:
    """Everybody below a person in the reporting lines, at any depth."""
    with connection.cursor() as cursor:
        cursor.execute(_REPORTS, [user_id])
        return tuple(row[0] for row in cursor.fetchall())
