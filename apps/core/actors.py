"""Who is acting, and how far that actor can see.

Every way in (token, session, job, clock, system) becomes an `Actor`; services and querysets take
nothing else. The resolver of reach is plugged in by the app that knows territories.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from uuid import UUID

from apps.core.errors import NotAllowed

SYSTEM_ID = UUID("00000000-0000-7000-8000-000000000001")
SYSTEM_ROLE = "system"


@dataclass(frozen=True)
class Reach:
    """The rows an actor can see: owned by these people or lying in these territories.

    `unrouted` adds the rows that have neither owner nor territory yet.
    """

    everything: bool = False
    user_ids: tuple[UUID, ...] = ()
    territory_ids: tuple[UUID, ...] = ()
    unrouted: bool = False

    @cached_property
    def fingerprint(self) -> str:
        """A short key: equal for equal reaches, so that caches never mix rights."""
        if self.everything:
            return "everything"
        digest = blake2b(digest_size=12)
        digest.update(b"unrouted" if self.unrouted else b"routed")
        for ids in (self.user_ids, self.territory_ids):
            digest.update(b"|")
            for identifier in ids:
                digest.update(identifier.bytes)
        return digest.hexdigest()

    @cached_property
    def _people(self) -> frozenset[UUID]:
        return frozenset(self.user_ids)

    @cached_property
    def _places(self) -> frozenset[UUID]:
        return frozenset(self.territory_ids)

    @cached_property
    def user_array(self) -> str:
        """The people as PostgreSQL writes an array: one parameter, made once."""
        return _array_of(self.user_ids)

    @cached_property
    def territory_array(self) -> str:
        """The territories as PostgreSQL writes an array: one parameter, made once."""
        return _array_of(self.territory_ids)

    def includes(self, *, owner_id: UUID | None, territory_id: UUID | None) -> bool:
        """Whether a row with this owner and territory can be seen."""
        return (
            self.everything
            or owner_id in self._people
            or territory_id in self._places
            or (self.unrouted and owner_id is None and territory_id is None)
        )


def _array_of(ids: tuple[UUID, ...]) -> str:
    return f"{{{','.join(map(str, ids))}}}"


EVERYTHING = Reach(everything=True)
NOTHING = Reach()

ReachResolver = Callable[["Actor"], Reach]
_resolver: list[ReachResolver] = []


def resolve_reach_with(resolver: ReachResolver) -> None:
    """Plug in the function that knows how far an actor can see. Called once, at start."""
    _resolver[:] = [resolver]


ActorFinder = Callable[..., "Actor | None"]
_finder: list[ActorFinder] = []


def find_actors_with(finder: ActorFinder) -> None:
    """Plug in the function that knows people by id. Called once, at start."""
    _finder[:] = [finder]


def become(
    actor_id: UUID, *, door: str, request_id: str = "", scopes: Collection[str] | None = None
) -> Actor:
    """The actor with this id, with today's rights: for work that goes on after the request.

    `scopes` are the permissions they have at most. Raises NotAllowed when that person may not act
    any more.
    """
    if actor_id == SYSTEM_ID:
        return system_actor(door=door, request_id=request_id)
    found = (
        _finder[0](actor_id, door=door, request_id=request_id, scopes=scopes) if _finder else None
    )
    if found is None:
        raise NotAllowed("The person who asked for this may not act any more.")
    return found


@dataclass(frozen=True)
class RateLimit:
    """How much somebody may ask for (sales-system-integrations, Rate Limiting)."""

    per_minute: int = 1000
    per_second: int = 50


@dataclass(frozen=True)
class Actor:
    """Somebody or something that acts, with its rights and the door it came through."""

    id: UUID
    role: str
    permissions: frozenset[str] = field(repr=False)
    door: str = "internal"
    request_id: str = ""
    rate_limit: RateLimit = RateLimit()

    @property
    def is_system(self) -> bool:
        """Whether this is the platform itself: it may do everything and sees everything."""
        return self.role == SYSTEM_ROLE

    @property
    def is_authenticated(self) -> bool:
        """What Django REST framework asks of whoever made a request."""
        return True

    def may(self, permission: str) -> bool:
        """Whether the actor holds the permission."""
        return self.is_system or permission in self.permissions

    @cached_property
    def reach(self) -> Reach:
        """How far the actor can see; resolved once, when first needed."""
        if self.is_system:
            return EVERYTHING
        if not _resolver:
            return NOTHING
        return _resolver[0](self)

    def through(self, door: str) -> Actor:
        """The same actor, seen coming through another door."""
        return replace(self, door=door)


def system_actor(*, door: str = "system", request_id: str = "") -> Actor:
    """The platform acting for itself: the clock, a handler, a command line."""
    return Actor(
        id=SYSTEM_ID,
        role=SYSTEM_ROLE,
        permissions=frozenset(),
        door=door,
        request_id=request_id or str(uuid.uuid4()),
    )
