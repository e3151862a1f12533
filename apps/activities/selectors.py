"""Answers about activities: how many there were, of what, by whom and when."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import TextChoices

from apps.activities.permissions import READ_ACTIVITY
from apps.activities.rules import OutcomeKind
from apps.core.actors import Actor
from apps.core.periods import check_days, moments_of
from apps.core.permissions import require
from apps.core.rows.scope import OwnedScope
from apps.leads.permissions import READ_LEAD
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


class Grouping(TextChoices):
    """What activities are told apart by. The stage is the one in which the deal was then."""

    TYPE = "type"
    PERSON = "person"
    STAGE = "stage"
    MONTH = "month"
    OUTCOME = "outcome"


@dataclass(frozen=True)
class ActivityGroup:
    """Activities that have something in common, and what became of the deals they are about.

    `key` is empty where they have nothing of the kind, such as a stage without a deal. `outcomes`
    count what came of them, as far as somebody said.
    """

    key: str
    name: str
    tally: Tally
    outcomes: dict[str, int]
    deals: int
    won: int
    lost: int


@dataclass(frozen=True)
class Answers:
    """How soon new leads were answered: by the first activity about each that was done, other than
    e-mails and calls that came in.

    `median` and `ninety` are the minutes that half, and nine of ten, of those answered waited.
    """

    owner: dict[str, str] | None
    leads: int
    answered: int
    median: int | None
    ninety: int | None


_KEYS = {
    Grouping.TYPE: ("t.type", "''", ""),
    Grouping.PERSON: ("t.user_id", "u.name", "JOIN users_user u ON u.id = t.user_id"),
    Grouping.STAGE: (
        "s.key",
        "s.name",
        "LEFT JOIN LATERAL (SELECT p.stage_id FROM opportunities_stagespan p"
        " WHERE p.opportunity_id = t.opportunity_id AND p.entered_at <= t.timeline_at"
        " ORDER BY p.entered_at DESC LIMIT 1) AS stood ON TRUE"
        " LEFT JOIN opportunities_stage s ON s.id = stood.stage_id",
    ),
    Grouping.MONTH: ("to_char(t.timeline_at AT TIME ZONE %(zone)s, '\"M\"MM_YYYY')", "''", ""),
    Grouping.OUTCOME: ("t.outcome_kind", "''", ""),
}
_COUNTS = ", ".join(
    f"count(*) FILTER (WHERE t.outcome_kind = '{one}')" for one in OutcomeKind.values
)
_GROUPS = f"""
SELECT coalesce(({{key}})::text, ''), coalesce(min({{name}}), ''),
       count(*), count(t.completed_at),
       coalesce(sum(t.duration_minutes) FILTER (WHERE t.completed_at IS NOT NULL), 0)::bigint,
       count(DISTINCT t.opportunity_id),
       count(DISTINCT t.opportunity_id) FILTER (WHERE o.kind = 'won'),
       count(DISTINCT t.opportunity_id) FILTER (WHERE o.kind = 'lost'),
       {_COUNTS}
FROM activities_activity t
LEFT JOIN opportunities_opportunity o ON o.id = t.opportunity_id
{{joined}}
WHERE t.deleted_at IS NULL AND NOT t.subject_in_bin AND {{reach}}
  AND t.timeline_at >= %(begin)s AND t.timeline_at < %(end)s
  AND (%(user)s::uuid IS NULL OR t.user_id = %(user)s::uuid)
GROUP BY 1 ORDER BY count(*) DESC, 1
LIMIT {{most}}
"""
_ANSWERS = """
SELECT grouping(t.owner_id), t.owner_id, count(*), count(first.at),
       percentile_disc(0.5) WITHIN GROUP (ORDER BY first.minutes),
       percentile_disc(0.9) WITHIN GROUP (ORDER BY first.minutes)
FROM leads_lead t
LEFT JOIN LATERAL (
    SELECT a.completed_at AS at,
           (extract(epoch FROM a.completed_at - t.created_at) / 60)::int AS minutes
    FROM activities_activity a
    WHERE a.lead_id = t.id AND a.deleted_at IS NULL AND a.completed_at >= t.created_at
      AND a.direction <> 'inbound'
    ORDER BY a.completed_at LIMIT 1
) AS first ON TRUE
WHERE t.deleted_at IS NULL AND t.merged_into_id IS NULL AND {reach}
  AND t.created_at >= %(begin)s AND t.created_at < %(end)s
  AND (%(user)s::uuid IS NULL OR t.owner_id = %(user)s::uuid)
GROUP BY GROUPING SETS ((), (t.owner_id)) ORDER BY 1 DESC, 3 DESC, 2
LIMIT {most}
"""
MOST_GROUPS = 100


def activity_groups(
    *, actor: Actor, by: Grouping, first: date, last: date, user_id: UUID | None = None
) -> list[ActivityGroup]:
    """Activities within the actor's reach, told apart by one thing, the most first.

    Args:
        actor: whose reach counts.
        by: what they are told apart by.
        first, last: the days, at most a year of them.
        user_id: only what this person does.

    Raises NotAllowed, InvalidInput (sales-core, Activities).
    """
    rows = _analysed(_GROUPS, actor, first, last, user_id, *_KEYS[by])
    return [
        ActivityGroup(
            key,
            name,
            Tally(count, completed, minutes),
            {kind: of_kind for kind, of_kind in zip(OutcomeKind, counts, strict=True) if of_kind},
            deals,
            won,
            lost,
        )
        for key, name, count, completed, minutes, deals, won, lost, *counts in rows
    ]


def answers_to_leads(
    *, actor: Actor, first: date, last: date, user_id: UUID | None = None
) -> tuple[Answers, list[Answers]]:
    """How soon the leads of some days within the actor's reach were answered: all, and by owner.

    Raises NotAllowed, InvalidInput (sales-core, Activities).
    """
    require(actor, READ_LEAD)
    rows = _analysed(_ANSWERS, actor, first, last, user_id)
    cards = USER_NAMES.cards(str(owner) for _, owner, *_ in rows if owner)
    total, *others = [
        Answers(cards.get(str(owner)), leads, answered, median, ninety)
        for _, owner, leads, answered, median, ninety in rows
    ]
    return total, others


def _analysed(
    statement: str,
    actor: Actor,
    first: date,
    last: date,
    user_id: UUID | None,
    key: str = "",
    name: str = "",
    joined: str = "",
) -> list[tuple[Any, ...]]:
    require(actor, READ_ACTIVITY)
    check_days(first, last, at_most=LONGEST_DAYS)
    begin, end = moments_of(first, last)
    within, named = OwnedScope().condition(actor).named()
    parts = {"key": key, "name": name, "joined": joined, "reach": within, "most": MOST_GROUPS}
    asked = {"zone": settings.ORGANISATION_TIME_ZONE, "begin": begin, "end": end, "user": user_id}
    with connection.cursor() as cursor:
        cursor.execute(statement.format(**parts), {**asked, **named})
        return cursor.fetchall()
