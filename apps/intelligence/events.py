"""What happens to suggestions."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from apps.core.events import event

TOPIC = "sales.opportunities"
LEADS = "sales.leads"


@event("suggestion.accepted", topic=TOPIC, about="opportunity_id")
@dataclass(frozen=True, kw_only=True)
class SuggestionAccepted:
    """Somebody means to do what was suggested about a deal."""

    opportunity_id: UUID
    suggestion_id: UUID
    key: str


@event("suggestion.dismissed", topic=TOPIC, about="opportunity_id")
@dataclass(frozen=True, kw_only=True)
class SuggestionDismissed:
    """Somebody will not do what was suggested about a deal."""

    opportunity_id: UUID
    suggestion_id: UUID
    key: str


@event("lead.suggestion_accepted", topic=LEADS, about="lead_id")
@dataclass(frozen=True, kw_only=True)
class LeadSuggestionAccepted:
    """Somebody means to do what was suggested about a lead."""

    lead_id: UUID
    suggestion_id: UUID
    key: str


@event("lead.suggestion_dismissed", topic=LEADS, about="lead_id")
@dataclass(frozen=True, kw_only=True)
class LeadSuggestionDismissed:
    """Somebody will not do what was suggested about a lead."""

    lead_id: UUID
    suggestion_id: UUID
    key: str
