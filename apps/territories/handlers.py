"""Events that change how far people see."""

from __future__ import annotations

from collections.abc import Sequence

from apps.core.actors import system_actor
from apps.core.journal import Recorded, on
from apps.territories.events import TerritoryCreated, TerritoryUpdated
from apps.territories.selectors import make_reach_stale
from apps.territories.services.people import add_claimed_members
from apps.users.events import TerritoriesClaimed, UserAccessChanged


@on(TerritoryCreated, TerritoryUpdated, UserAccessChanged, batch=1000)
def resolve_reach_anew(happened: Sequence[Recorded]) -> None:
    """Whoever sees what is looked up again, in every process."""
    make_reach_stale()


@on(TerritoriesClaimed)
def add_members_by_claim(happened: Sequence[Recorded]) -> None:
    """Whom an identity provider places in territories becomes a member there."""
    for one in happened:
        add_claimed_members(
            user_id=one.event.user_id,
            names=one.event.territories,
            actor=system_actor(door="handler", request_id=one.correlation_id),
        )
