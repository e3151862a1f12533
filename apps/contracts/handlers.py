"""Events that end contracts."""

from __future__ import annotations

from collections.abc import Sequence

from apps.contracts.services.contracts import void_contracts
from apps.core.actors import system_actor
from apps.core.journal import Recorded, on
from apps.opportunities.events import OpportunityCreditChanged


@on(OpportunityCreditChanged, batch=1000)
def void_contracts_of_reopened(happened: Sequence[Recorded]) -> None:
    """A deal that no longer counts has no contract."""
    void_contracts(
        told=[one.event for one in happened],
        actor=system_actor(door="handler", request_id=happened[-1].correlation_id),
    )
