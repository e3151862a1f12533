"""Events that change how far people see."""

from __future__ import annotations

from collections.abc import Sequence

from apps.core.journal import Recorded, on
from apps.territories.events import TerritoryCreated, TerritoryUpdated
from apps.territories.selectors import make_reach_stale
from apps.users.events import UserAccessChanged


@on(TerritoryCreated, TerritoryUpdated, UserAccessChanged, batch=1000)
def resolve_reach_anew(happened: Sequence[Recorded]) -> None:
    """Whoever sees what is looked up again, in every process."""
    make_reach_stale()
