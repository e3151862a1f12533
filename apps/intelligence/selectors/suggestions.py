"""What came of suggestions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import connection

from apps.core.actors import Actor
from apps.core.periods import check_days, moments_of
from apps.core.permissions import require
from apps.core.rows.scope import OwnedScope
from apps.intelligence.rules.shares import Share, share_of
from apps.intelligence.rules.suggestions import Decision
from apps.opportunities.permissions import READ_OPPORTUNITY

LONGEST_DAYS = 5 * 366


@dataclass(frozen=True)
class Outcome:
    """What came of suggestions of one kind that were decided on in one way.

    Attributes:
        count: decided on.
        done: of those that ended, how many because it was done.
        won: of those whose deals are closed by now, how many were won.
    """

    key: str
    decision: Decision
    count: int
    done: Share | None
    won: Share | None


_OUTCOMES = """
SELECT s.key, s.decision, count(*),
       count(*) FILTER (WHERE s.ended_as = 'done'), count(s.ended_at),
       count(*) FILTER (WHERE t.kind = 'won'), count(*) FILTER (WHERE t.kind <> 'open')
FROM intelligence_suggestion s
JOIN opportunities_opportunity t ON t.id = s.opportunity_id
WHERE s.decision <> '' AND s.decided_at >= %s AND s.decided_at < %s
  AND t.deleted_at IS NULL AND (%s::uuid IS NULL OR t.owner_id = %s) AND {reach}
GROUP BY s.key, s.decision ORDER BY s.key, s.decision
"""


def outcomes(
    *, actor: Actor, first: date, last: date, owner_id: UUID | None = None
) -> list[Outcome]:
    """What came of the suggestions about deals within reach that were accepted, and of those that
    were dismissed.

    Args:
        actor: whose reach counts.
        first: the first day of the decisions, in the organisation's time zone.
        last: the last of these days, at most five years later.
        owner_id: only about the deals of this person.

    Raises NotAllowed, InvalidInput (sales-core, Intelligence).
    """
    require(actor, READ_OPPORTUNITY)
    check_days(first, last, at_most=LONGEST_DAYS)
    begin, end = moments_of(first, last)
    reach = OwnedScope().condition(actor)
    with connection.cursor() as cursor:
        cursor.execute(
            _OUTCOMES.format(reach=reach.sql), [begin, end, owner_id, owner_id, *reach.parameters]
        )
        return [
            Outcome(key, Decision(decision), count, share_of(done, ended), share_of(won, closed))
            for key, decision, count, done, ended, won, closed in cursor.fetchall()
        ]
