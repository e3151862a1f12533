"""Answers about activities: how many there were, of what, by whom and when."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from django.db import connection

from apps.activities.permissions import READ_ACTIVITY
from apps.core.actors import Actor
from apps.core.periods import check_days, moments_of
from apps.core.permissions import require
from apps.core.rows.scope import OwnedScope
from apps.users.fields import USER_NAMES

LONGEST_DAYS = 366
Step = Literal["day", "week"]


@dataclass(frozen=True)
class Tally:
    """How many activities, how many of them are done, and how long these took together."""

    count: int = 0
    completed: int = 0
    minutes: int = 0


@dataclass(frozen=True)
class ActivitySummary:
    """Activities of some days, first and last included, in the organisation's time zone.

    `by_user` goes by who does them, each as a card; `by_day` by the first day of each step.
    """

    first: date
    last: date
    total: Tally
    by_type: dict[str, Tally]
    by_user: list[tuple[dict[str, str], Tally]]
    by_day: dict[date, Tally]


_SUMMARY = """
SELECT grouping(type, user_id, day), type, user_id, day, count(*), count(completed_at),
       coalesce(sum(duration_minutes) FILTER (WHERE completed_at IS NOT NULL), 0)::bigint
FROM (SELECT t.type, t.user_id, t.completed_at, t.duration_minutes,
             date_trunc(%s, t.timeline_at AT TIME ZONE %s)::date AS day
      FROM activities_activity AS t
      WHERE t.deleted_at IS NULL AND NOT t.subject_in_bin AND {reach}
        AND t.timeline_at >= %s AND t.timeline_at < %s
        AND (%s::uuid IS NULL OR t.user_id = %s::uuid)) AS activity
GROUP BY GROUPING SETS ((), (type), (user_id), (day))
ORDER BY type, day, user_id
"""
# A bit for each column that a row is not grouped by.
_TOTAL, _BY_TYPE, _BY_USER, _BY_DAY = 0b111, 0b011, 0b101, 0b110


def activity_summary(
    *, actor: Actor, first: date, last: date, step: Step = "day", user_id: UUID | None = None
) -> ActivitySummary:
    """How many activities there are within the actor's reach. Raises NotAllowed, InvalidInput.

    Args:
        actor: whose reach counts.
        first: the first day.
        last: the last day, at most a year later.
        step: by day, or by week from its Monday.
        user_id: only what this person does.
    """
    require(actor, READ_ACTIVITY)
    check_days(first, last, at_most=LONGEST_DAYS)
    zone = settings.ORGANISATION_TIME_ZONE
    begin, end = moments_of(first, last)
    reach = OwnedScope().condition(actor)
    with connection.cursor() as cursor:
        cursor.execute(
            _SUMMARY.format(reach=reach.sql),
            [step, zone, *reach.parameters, begin, end, user_id, user_id],
        )
        rows = cursor.fetchall()
    tallies: dict[int, dict[Any, Tally]] = defaultdict(dict)
    for grouping, kind, who, day, *counts in rows:
        tallies[grouping][kind or who or day] = Tally(*counts)
    by_user = {str(one): tally for one, tally in tallies[_BY_USER].items()}
    return ActivitySummary(
        first=first,
        last=last,
        total=tallies[_TOTAL].get(None, Tally()),
        by_type=tallies[_BY_TYPE],
        by_user=[(card, by_user[one]) for one, card in USER_NAMES.cards(by_user).items()],
        by_day=tallies[_BY_DAY],
    )
