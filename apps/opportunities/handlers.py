"""Events that change how deals stand."""

from __future__ import annotations

from collections.abc import Sequence

from apps.core.actors import system_actor
from apps.core.journal import Recorded, on
from apps.customer_success.events import NEWS_OF_CUSTOMERS
from apps.opportunities.services.scores import score_deals_of_customers


@on(*NEWS_OF_CUSTOMERS, batch=500)
def score_deals_of_changed_customers(happened: Sequence[Recorded]) -> None:
    """Scores follow how customers fare; however much a batch tells, each deal is scored once."""
    score_deals_of_customers(
        account_ids={one.event.account_id for one in happened},
        actor=system_actor(door="handler", request_id=happened[-1].correlation_id),
    )
