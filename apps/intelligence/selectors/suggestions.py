"""What came of suggestions, and what they are worth by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from cachetools import TTLCache, cached
from cachetools.keys import hashkey
from django.conf import settings
from django.db import connection

from apps.core.actors import Actor
from apps.core.periods import check_days, moments_of, organisation_today
from apps.core.permissions import require
from apps.core.rows.scope import OwnedScope
from apps.intelligence.rules.shares import Share, share_of
from apps.intelligence.rules.suggestions import Decision, Typical
from apps.leads.permissions import READ_LEAD
from apps.opportunities.permissions import READ_OPPORTUNITY

LONGEST_DAYS = 5 * 366
# What is usual is asked of a year, and says nothing before it happened so often.
USUAL_DAYS = 365
FEWEST = 10
_typical: TTLCache[object, Typical | None] = TTLCache(maxsize=1, ttl=3600)


@dataclass(frozen=True)
class Outcome:
    """What came of suggestions of one kind that were decided on in one way.

    Attributes:
        count: decided on.
        done: of those that ended, how many because it was done.
        won: of those whose deals are closed by now, how many were won; of leads, converted.
    """

    key: str
    decision: Decision
    count: int
    done: Share | None
    won: Share | None


_OUTCOMES = """
SELECT s.key, s.decision, count(*),
       count(*) FILTER (WHERE s.ended_as = 'done'), count(s.ended_at),
       count(*) FILTER (WHERE t.is_won), count(*) FILTER (WHERE t.is_closed)
FROM intelligence_suggestion s
CROSS JOIN LATERAL (
    SELECT o.owner_id, o.territory_id, o.kind = 'won' AS is_won, o.kind <> 'open' AS is_closed
    FROM opportunities_opportunity o WHERE o.id = s.opportunity_id AND o.deleted_at IS NULL
    UNION ALL
    SELECT l.owner_id, l.territory_id, l.status = 'converted',
           l.status IN ('converted', 'unqualified')
    FROM leads_lead l WHERE l.id = s.lead_id AND l.deleted_at IS NULL AND %s
) AS t
WHERE s.decision <> '' AND s.decided_at >= %s AND s.decided_at < %s
  AND (%s::uuid IS NULL OR t.owner_id = %s) AND {reach}
GROUP BY s.key, s.decision ORDER BY s.key, s.decision
"""


def outcomes(
    *, actor: Actor, first: date, last: date, owner_id: UUID | None = None
) -> list[Outcome]:
    """What came of the suggestions about deals and leads within reach that were accepted, and of
    those that were dismissed.

    Args:
        actor: whose reach counts.
        first: the first day of the decisions, in the organisation's time zone.
        last: the last of these days, at most five years later.
        owner_id: only about the deals and leads of this person.

    Raises NotAllowed, InvalidInput (sales-core, Intelligence).
    """
    require(actor, READ_OPPORTUNITY)
    check_days(first, last, at_most=LONGEST_DAYS)
    begin, end = moments_of(first, last)
    reach = OwnedScope().condition(actor)
    with connection.cursor() as cursor:
        cursor.execute(
            _OUTCOMES.format(reach=reach.sql),
            [actor.may(READ_LEAD), begin, end, owner_id, owner_id, *reach.parameters],
        )
        return [
            Outcome(key, Decision(decision), count, share_of(done, ended), share_of(won, closed))
            for key, decision, count, done, ended, won, closed in cursor.fetchall()
        ]


_USUAL = """
SELECT l.converted, l.ended, o.won, o.closed, o.amount
FROM (SELECT count(*) FILTER (WHERE status = 'converted') AS converted, count(*) AS ended
      FROM leads_lead
      WHERE status IN ('converted', 'unqualified') AND deleted_at IS NULL
        AND merged_into_id IS NULL AND created_at >= %(since)s) AS l,
     (SELECT count(*) FILTER (WHERE kind = 'won') AS won, count(*) AS closed,
             percentile_disc(0.5) WITHIN GROUP (ORDER BY amount)
             FILTER (WHERE kind = 'won' AND currency = %(currency)s) AS amount
      FROM opportunities_opportunity
      WHERE kind <> 'open' AND deleted_at IS NULL AND actual_close_date >= %(since)s) AS o
"""


@cached(_typical, key=lambda: hashkey("typical"))
def typical_sale() -> Typical | None:
    """What sales of the last year were like; None where there were too few to say so.

    An hour old at most: it changes slowly, and is asked for with every change of a lead.
    """
    since = organisation_today() - timedelta(days=USUAL_DAYS)
    with connection.cursor() as cursor:
        cursor.execute(_USUAL, {"since": since, "currency": settings.DEFAULT_CURRENCY})
        converted, ended, won, closed, amount = cursor.fetchone()
    if amount is None or min(ended, closed) < FEWEST:
        return None
    return Typical(Decimal(converted) / ended, Decimal(won) / closed, amount)


def forget_typical_sale() -> None:
    """Let what is usual be asked anew."""
    _typical.clear()
