"""Events that change scores, and what is suggested."""

from __future__ import annotations

from collections.abc import Sequence

from apps.activities.events import ActivityCompleted, ActivityLogged
from apps.core.actors import system_actor
from apps.core.journal import Recorded, on
from apps.customer_success.events import NEWS_OF_CUSTOMERS
from apps.intelligence.services import training  # noqa: F401  declares how its jobs are started
from apps.intelligence.services.lead_suggestions import suggest_about_leads
from apps.intelligence.services.scoring import score_deals, score_leads
from apps.intelligence.services.suggestions import suggest, suggest_to_customers
from apps.leads.events import (
    LeadAssigned,
    LeadConverted,
    LeadCreated,
    LeadsMerged,
    LeadStatusChanged,
    LeadsUnmerged,
    LeadUpdated,
)
from apps.opportunities.events import (
    OpportunityCreated,
    OpportunityStageChanged,
    OpportunityUpdated,
)


@on(OpportunityCreated, OpportunityStageChanged, OpportunityUpdated, batch=500)
def score_changed_deals(happened: Sequence[Recorded]) -> None:
    """Scores follow their deals; however much a batch tells, each is scored once."""
    score_deals(
        ids=sorted({one.event.opportunity_id for one in happened}),
        actor=system_actor(door="handler", request_id=happened[-1].correlation_id),
    )


@on(LeadCreated, batch=500)
def score_new_leads(happened: Sequence[Recorded]) -> None:
    """A lead is scored by what is known when it is captured."""
    score_leads(
        ids=sorted({one.event.lead_id for one in happened}),
        actor=system_actor(door="handler", request_id=happened[-1].correlation_id),
    )


@on(
    OpportunityCreated,
    OpportunityStageChanged,
    OpportunityUpdated,
    ActivityLogged,
    ActivityCompleted,
    batch=500,
)
def suggest_about_changed_deals(happened: Sequence[Recorded]) -> None:
    """What is suggested follows the deals, and who was in touch about them."""
    told = {one.event.opportunity_id for one in happened}
    suggest(
        ids=sorted(told - {None}),
        actor=system_actor(door="handler", request_id=happened[-1].correlation_id),
    )


@on(*NEWS_OF_CUSTOMERS, batch=500)
def suggest_to_changed_customers(happened: Sequence[Recorded]) -> None:
    """What is suggested follows how customers fare."""
    suggest_to_customers(
        account_ids={one.event.account_id for one in happened},
        actor=system_actor(door="handler", request_id=happened[-1].correlation_id),
    )


@on(
    LeadCreated,
    LeadUpdated,
    LeadAssigned,
    LeadStatusChanged,
    LeadConverted,
    LeadsMerged,
    LeadsUnmerged,
    ActivityLogged,
    ActivityCompleted,
    batch=500,
)
def suggest_about_changed_leads(happened: Sequence[Recorded]) -> None:
    """What is suggested follows the leads, those folded together, and who answered them."""
    told = {one.event.lead_id for one in happened} - {None}
    for one in happened:
        told.update(getattr(one.event, "merged_ids", ()), getattr(one.event, "restored_ids", ()))
    if told:
        suggest_about_leads(
            ids=sorted(told),
            actor=system_actor(door="handler", request_id=happened[-1].correlation_id),
        )
