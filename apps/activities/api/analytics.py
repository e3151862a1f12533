"""`/activities/analytics`: what activities come to, and how soon leads are answered."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.activities.api.summary import TallyAnswer
from apps.activities.rules import OutcomeKind
from apps.activities.selectors import (
    ActivityGroup,
    Answers,
    Grouping,
    activity_groups,
    answers_to_leads,
)
from apps.core.actors import Actor
from apps.core.api.bodies import Days, Identifier
from apps.core.api.endpoint import Endpoint, operation
from apps.core.api.schema import Card


class AnalyticsQuery(Days):
    """What activities are told apart by, of which days, and whose."""

    by = serializers.ChoiceField(Grouping.choices)
    user_id = Identifier(required=False, help_text="Only what this person does, and is to answer.")


class OutcomeCount(serializers.Serializer):
    """How many activities had an outcome."""

    outcome = serializers.ChoiceField(OutcomeKind.choices)
    count = serializers.IntegerField()


class ActivityGroupAnswer(TallyAnswer):
    """Activities with something in common, and what became of the deals they are about.

    `key` is empty where they have nothing of the kind, such as a stage without a deal. What nobody
    said anything of is in no outcome.
    """

    key = serializers.CharField(allow_blank=True)
    name = serializers.CharField(allow_blank=True)
    outcomes = OutcomeCount(many=True)
    deals = serializers.IntegerField()
    won = serializers.IntegerField()
    lost = serializers.IntegerField()


class AnswersAnswer(serializers.Serializer):
    """How soon leads that came in these days had a first activity done about them, in minutes; what
    came in from them does not count."""

    leads = serializers.IntegerField()
    answered = serializers.IntegerField()
    median_minutes = serializers.IntegerField(allow_null=True)
    nine_of_ten_minutes = serializers.IntegerField(allow_null=True)


class OwnersAnswers(AnswersAnswer):
    """Those of one owner; of leads without one there is none."""

    owner = Card(allow_null=True)


class AnalyticsAnswer(serializers.Serializer):
    """What activities of some days come to."""

    by = serializers.ChoiceField(Grouping.choices)
    first = serializers.DateField()
    last = serializers.DateField()
    groups = ActivityGroupAnswer(many=True)
    response = AnswersAnswer()
    response_by_owner = OwnersAnswers(many=True)


class ActivityAnalytics(Endpoint):
    """`/activities/analytics`."""

    @operation(
        summary="Activities by one thing, their deals, and how soon leads are answered",
        query=AnalyticsQuery,
        answer=AnalyticsAnswer,
        tags=("activities",),
    )
    def get(self, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
        first, last = AnalyticsQuery.taken_from(query)
        by = Grouping(query.pop("by"))
        groups = activity_groups(actor=actor, by=by, first=first, last=last, **query)
        total, by_owner = answers_to_leads(actor=actor, first=first, last=last, **query)
        return {
            "by": by,
            "first": first,
            "last": last,
            "groups": [_group(one) for one in groups],
            "response": _answers(total),
            "response_by_owner": [{"owner": one.owner, **_answers(one)} for one in by_owner],
        }


def _group(group: ActivityGroup) -> dict[str, Any]:
    return {
        "key": group.key,
        "name": group.name,
        "count": group.tally.count,
        "completed": group.tally.completed,
        "minutes": group.tally.minutes,
        "outcomes": [{"outcome": one, "count": count} for one, count in group.outcomes.items()],
        "deals": group.deals,
        "won": group.won,
        "lost": group.lost,
    }


def _answers(found: Answers) -> dict[str, Any]:
    return {
        "leads": found.leads,
        "answered": found.answered,
        "median_minutes": found.median,
        "nine_of_ten_minutes": found.ninety,
    }
