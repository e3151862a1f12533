"""Events that credit quotas."""

from __future__ import annotations

from collections.abc import Sequence

from apps.core.actors import system_actor
from apps.core.journal import Recorded, on
from apps.opportunities.events import OpportunityCreditChanged
from apps.quotas.services.credits import credit_deals


@on(OpportunityCreditChanged, batch=1000)
def credit_quotas(happened: Sequence[Recorded]) -> None:
    """The ledger follows what deals count for."""
    credit_deals(
        told=[one.event for one in happened],
        actor=system_actor(door="handler", request_id=happened[-1].correlation_id),
    )
