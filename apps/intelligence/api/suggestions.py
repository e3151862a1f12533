"""`/intelligence/suggestions`: what would help deals and leads most, and what came of saying so."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.bodies import Body, Days, Identifier, Text
from apps.core.api.endpoint import Endpoint, listed, operation
from apps.intelligence.api.shares import ShareAnswer, share_told
from apps.intelligence.fields import SUGGESTIONS
from apps.intelligence.models import Suggestion
from apps.intelligence.rules.suggestions import Decision
from apps.intelligence.selectors.suggestions import outcomes
from apps.intelligence.services.suggestions import accept_suggestion, dismiss_suggestion
from apps.leads.fields import LEADS
from apps.opportunities.fields import OPPORTUNITIES

TAGS = ("intelligence",)


class Dismissal(Body):
    """Why it will not be done."""

    because = Text(required=False, allow_blank=True)


class SuggestionReceipt(serializers.Serializer):
    """What was decided."""

    id = serializers.UUIDField()
    opportunity_id = serializers.UUIDField(allow_null=True)
    lead_id = serializers.UUIDField(allow_null=True)
    decision = serializers.ChoiceField(Decision.choices)
    decided_at = serializers.DateTimeField()


def suggestion_receipt(row: Suggestion) -> dict[str, Any]:
    """What tells what was decided."""
    return {
        "id": row.pk,
        "opportunity_id": row.opportunity_id,
        "lead_id": row.lead_id,
        "decision": row.decision,
        "decided_at": row.decided_at,
    }


class SuggestionCollection(Endpoint):
    """`/intelligence/suggestions`."""

    get = listed(
        SUGGESTIONS,
        summary="What would help deals and leads within reach, the most first",
        tags=TAGS,
    )


class OpportunitySuggestions(Endpoint):
    """`/opportunities/{opportunity_id}/suggestions`."""

    get = listed(
        SUGGESTIONS,
        within=OPPORTUNITIES,
        stated="opportunity_id",
        summary="What would help an opportunity, the most first",
        tags=("opportunities",),
    )


class LeadSuggestions(Endpoint):
    """`/leads/{lead_id}/suggestions`."""

    get = listed(
        SUGGESTIONS,
        within=LEADS,
        stated="lead_id",
        summary="What would help a lead, the most first",
        tags=("leads",),
    )


class SuggestionAcceptance(Endpoint):
    """`/intelligence/suggestions/{suggestion_id}/accept`."""

    @operation(summary="Say that it will be done", answer=SuggestionReceipt, tags=TAGS)
    def post(self, actor: Actor, suggestion_id: UUID) -> dict[str, Any]:
        return suggestion_receipt(accept_suggestion(suggestion_id=suggestion_id, actor=actor))


class SuggestionDismissal(Endpoint):
    """`/intelligence/suggestions/{suggestion_id}/dismiss`."""

    @operation(
        summary="Say that it will not be done",
        body=Dismissal,
        answer=SuggestionReceipt,
        tags=TAGS,
    )
    def post(self, actor: Actor, suggestion_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        row = dismiss_suggestion(suggestion_id=suggestion_id, **body, actor=actor)
        return suggestion_receipt(row)


class OutcomesQuery(Days):
    """When they were decided on, and whose deals and leads they are about."""

    usual_days = 90

    owner_id = Identifier(required=False)


class OutcomeAnswer(serializers.Serializer):
    """What came of suggestions of one kind, by what was decided.

    `done` is of those that ended; `won` of those whose deals are closed by now, or leads converted
    or given up.
    """

    key = serializers.CharField()
    decision = serializers.ChoiceField(Decision.choices)
    count = serializers.IntegerField()
    done = ShareAnswer(allow_null=True)
    won = ShareAnswer(allow_null=True)


class OutcomesAnswer(serializers.Serializer):
    """What came of the suggestions that were decided on in these days."""

    first = serializers.DateField()
    last = serializers.DateField()
    outcomes = OutcomeAnswer(many=True)


class SuggestionOutcomes(Endpoint):
    """`/intelligence/suggestions/outcomes`."""

    @operation(
        summary="What came of suggestions, by kind and decision",
        query=OutcomesQuery,
        answer=OutcomesAnswer,
        tags=TAGS,
    )
    def get(self, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
        first, last = OutcomesQuery.taken_from(query)
        return {
            "first": first,
            "last": last,
            "outcomes": [
                {
                    "key": one.key,
                    "decision": one.decision,
                    "count": one.count,
                    "done": share_told(one.done),
                    "won": share_told(one.won),
                }
                for one in outcomes(actor=actor, first=first, last=last, **query)
            ],
        }
