"""Events that credit quotas."""

from __future__ import annotations

from collections.abc import Sequence

from apps.activities.events import ActivityChanged, ActivityCompleted
from apps.core.actors import system_actor
from apps.core.journal import Recorded, on
from apps.opportunities.events import OpportunityCreditChanged
from apps.quotas.services.activities import count_activities
from apps.quotas.services.credits import credit_deals


@on(OpportunityCreditChanged, batch=1000)
def credit_quotas(happened: Sequence[Recorded]) -> None:
    """The ledger follows what deals count for."""
    credit_deals(
        told=[one.event for one in happened],
        actor=system_actor(door="handler", request_id=happened[-1].correlation_id),
    )


@on(ActivityCompleted, ActivityChanged, batch=1000)
def count_completed_activities(happened: Sequence[Recorded]) -> None:
    """The count follows the activities."""
    count_activities(actor=system_actor(door="handler", request_id=happened[-1].correlation_id))
