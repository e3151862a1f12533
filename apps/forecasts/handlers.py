"""Events that change forecasts."""

from __future__ import annotations

from collections.abc import Sequence

from apps.core.actors import system_actor
from apps.core.journal import Recorded, on
from apps.forecasts.services.computation import recompute_affected
from apps.opportunities.events import (
    OpportunityCreated,
    OpportunityStageChanged,
    OpportunityUpdated,
)


@on(OpportunityCreated, OpportunityStageChanged, OpportunityUpdated, batch=1000)
def recompute_forecasts(happened: Sequence[Recorded]) -> None:
    """Forecasts follow their deals; however much a batch tells, each is computed once."""
    recompute_affected(
        opportunity_ids={one.event.opportunity_id for one in happened},
        actor=system_actor(door="handler", request_id=happened[-1].correlation_id),
    )
