"""What activities are told by."""

from __future__ import annotations

from rest_framework import serializers

from apps.activities.models import Activity
from apps.activities.rules import LONGEST_MINUTES, OutcomeKind
from apps.core.api.bodies import Body, Identifier, JSONObject, Text, WholeNumber

MOST_PARTICIPANTS = 200
_OUTCOME = f"Counted where it is one of {', '.join(OutcomeKind.values[:-1])}; else as other."


class ActivityFacts(Body):
    """What can be said of an activity; what is left out keeps its value or stays empty."""

    type = serializers.ChoiceField(Activity.Type.choices, required=False)
    direction = serializers.ChoiceField(
        Activity.Direction.choices,
        required=False,
        allow_blank=True,
        help_text="Of e-mails and calls: who began it. What came in answers no lead.",
    )
    subject = Text(max_length=255, required=False)
    description = Text(max_length=10_000, required=False, allow_blank=True)
    outcome = Text(
        max_length=255,
        required=False,
        allow_blank=True,
        help_text=f"Of what was done. {_OUTCOME}",
    )
    duration_minutes = WholeNumber(required=False, allow_null=True, max_value=LONGEST_MINUTES)
    scheduled_at = serializers.DateTimeField(required=False, allow_null=True)
    participants = serializers.ListField(
        child=Identifier(),
        required=False,
        max_length=MOST_PARTICIPANTS,
        help_text="Ids of people here and of contacts.",
    )
    metadata = JSONObject(required=False)
    user_id = Identifier(required=False, help_text="Who does it; whoever logs it, if left out.")


class NewActivity(ActivityFacts):
    """An activity about a lead, an opportunity, an account or a contact, or several of them."""

    type = serializers.ChoiceField(Activity.Type.choices)
    subject = Text(max_length=255)
    lead_id = Identifier(required=False)
    opportunity_id = Identifier(required=False)
    account_id = Identifier(required=False)
    contact_id = Identifier(required=False)
    completed_at = serializers.DateTimeField(
        required=False, help_text="When it was done: now, unless it is scheduled or a task."
    )


class Completion(Body):
    """That an activity was done, and what came of it."""

    completed_at = serializers.DateTimeField(required=False, help_text="Now, if left out.")
    outcome = Text(max_length=255, required=False, allow_blank=True, help_text=_OUTCOME)
    duration_minutes = WholeNumber(required=False, max_value=LONGEST_MINUTES)
