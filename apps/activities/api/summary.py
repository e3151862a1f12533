"""`/activities/summary`: how many activities there were."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.activities.selectors import ActivitySummary, Tally, activity_summary
from apps.core.actors import Actor
from apps.core.api.bodies import Days, Identifier
from apps.core.api.endpoint import Endpoint, operation
from apps.core.api.schema import Card


class SummaryQuery(Days):
    """Whose activities, and of which days: without them the last thirty."""

    step = serializers.ChoiceField(("day", "week"), required=False)
    user_id = Identifier(required=False, help_text="Only what this person does.")


class TallyAnswer(serializers.Serializer):
    """How many activities, how many of them done, and the minutes these took."""

    count = serializers.IntegerField()
    completed = serializers.IntegerField()
    minutes = serializers.IntegerField()


class TypeTally(TallyAnswer):
    """Those of one type."""

    type = serializers.CharField()


class PersonTally(TallyAnswer):
    """Those that one person does."""

    user = Card()


class DayTally(TallyAnswer):
    """Those of a day, or of the week that begins on it."""

    day = serializers.DateField()


class ActivitySummaryAnswer(serializers.Serializer):
    """Activities of some days within reach, by type, person and day; empty days are left out."""

    first = serializers.DateField()
    last = serializers.DateField()
    total = TallyAnswer()
    by_type = TypeTally(many=True)
    by_user = PersonTally(many=True)
    by_day = DayTally(many=True)


def summary_answer(found: ActivitySummary) -> dict[str, Any]:
    """A summary as JSON shows it."""
    return {
        "first": found.first,
        "last": found.last,
        "total": _tally(found.total),
        "by_type": [{"type": one, **_tally(tally)} for one, tally in found.by_type.items()],
        "by_user": [{"user": card, **_tally(tally)} for card, tally in found.by_user],
        "by_day": [{"day": one, **_tally(tally)} for one, tally in found.by_day.items()],
    }


def _tally(tally: Tally) -> dict[str, int]:
    return {"count": tally.count, "completed": tally.completed, "minutes": tally.minutes}


class ActivitySummaryView(Endpoint):
    """`/activities/summary`."""

    @operation(
        summary="How many activities there were, by type, person and day",
        query=SummaryQuery,
        answer=ActivitySummaryAnswer,
        tags=("activities",),
    )
    def get(self, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
        first, last = SummaryQuery.taken_from(query)
        return summary_answer(activity_summary(actor=actor, first=first, last=last, **query))
