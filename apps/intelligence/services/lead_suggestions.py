"""What is suggested about leads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.periods import organisation_day
from apps.core.permissions import require
from apps.intelligence.permissions import SUGGEST
from apps.intelligence.rules.suggestions import Ending, OpenLead, Typical, suggestions_for_lead
from apps.intelligence.selectors.suggestions import typical_sale
from apps.intelligence.services.suggestions import News, Wanted, ids_to_look_at
from apps.leads.models import Lead
from apps.leads.querysets import OPEN_STATUSES

# What happened to a lead that was folded into another is the other's story, too.
_SURVIVORS = """
WITH RECURSIVE told(id) AS (
    SELECT unnest(%s::uuid[])
    UNION SELECT l.merged_into_id FROM told JOIN leads_lead l ON l.id = told.id
          WHERE l.merged_into_id IS NOT NULL)
SELECT id FROM told ORDER BY id
"""
# Of those that came in qualified nobody told; a lead is no older than what happened to it.
_LEADS = """
WITH RECURSIVE family(head, id) AS (
    SELECT id, id FROM unnest(%(ids)s::uuid[]) AS id
    UNION SELECT f.head, l.id FROM family f JOIN leads_lead l ON l.merged_into_id = f.id
), spoken AS (
    SELECT f.head, max(a.completed_at) AS heard_at,
           max(a.completed_at) FILTER (WHERE a.direction <> 'inbound') AS answered_at,
           bool_or(a.completed_at IS NULL AND a.scheduled_at >= %(now)s) AS has_plan
    FROM family f JOIN activities_activity a ON a.lead_id = f.id
    WHERE a.deleted_at IS NULL
    GROUP BY f.head
)
SELECT l.id, l.status, l.score, l.score_source, l.deleted_at IS NOT NULL,
       l.merged_into_id IS NOT NULL, l.owner_id IS NULL AND l.territory_id IS NULL,
       l.created_at, spoken.heard_at, spoken.answered_at,
       CASE l.status WHEN 'qualified' THEN coalesce(
           (SELECT max(e.occurred_at) FROM core_businessevent e
            WHERE e.aggregate_id = l.id AND e.name = 'lead.qualified'
              AND e.occurred_at >= l.created_at - interval '1 day'),
           l.created_at) END,
       coalesce(spoken.has_plan, FALSE)
FROM leads_lead l LEFT JOIN spoken ON spoken.head = l.id
WHERE l.id = ANY(%(ids)s::uuid[])
ORDER BY l.id
"""


@dataclass(frozen=True)
class _Known:
    """A lead as suggestions see it; one that is over has nothing to be done about it."""

    lead_id: UUID
    ending: Ending
    is_over: bool
    chance: Decimal | None
    lead: OpenLead


@command
def suggest_about_leads(*, ids: Sequence[UUID], actor: Actor) -> int:
    """Look at leads and those they were folded into, and keep what is suggested about each as it is
    now.

    Doing it twice is harmless. Returns how many suggestions were made, changed or ended.

    Raises NotAllowed (sales-core, Intelligence).
    """
    require(actor, SUGGEST)
    now = timezone.now()
    looked_at = _with_survivors(ids)
    news = News.of("lead_id", looked_at, now)
    typical = typical_sale()
    for known in _known_of(looked_at, now):
        wanted = {} if known.is_over else _wanted(known, typical, now)
        news.compare(known.lead_id, wanted, known.ending)
    return news.keep()


def suggest_about_open_leads(*, actor: Actor) -> int:
    """Look at every open lead, some at a time: days pass without anybody touching a lead.

    And at those that are over, where nobody told so while something was still suggested.

    Returns how many suggestions were made, changed or ended. Raises NotAllowed.
    """
    news, last = 0, UUID(int=0)
    leads = Lead.objects.open()
    while ids := ids_to_look_at("lead_id", leads, after=last):
        news += suggest_about_leads(ids=ids, actor=actor)
        last = ids[-1]
    return news


def _wanted(known: _Known, typical: Typical | None, now: datetime) -> Wanted:
    worth = None if typical is None else typical.worth_of(known.chance)
    return {
        one.key: (one, None if worth is None else one.value_of(worth))
        for one in suggestions_for_lead(known.lead, now, organisation_day)
    }


_ENDINGS: Mapping[str, Ending] = {
    Lead.Status.CONVERTED: Ending.CONVERTED,
    Lead.Status.UNQUALIFIED: Ending.GIVEN_UP,
}


def _with_survivors(ids: Sequence[UUID]) -> list[UUID]:
    """Some leads and those they were folded into."""
    with connection.cursor() as cursor:
        cursor.execute(_SURVIVORS, [list(ids)])
        return [lead_id for (lead_id,) in cursor.fetchall()]


def _known_of(ids: Sequence[UUID], now: datetime) -> Iterator[_Known]:
    with connection.cursor() as cursor:
        cursor.execute(_LEADS, {"ids": list(ids), "now": now})
        rows = cursor.fetchall()
    for lead_id, status, score, source, in_bin, is_merged, *rest in rows:
        is_unrouted, captured_at, heard_at, answered_at, qualified_at, has_plan = rest
        # What a model says is how likely it is; what the rules say is not.
        by_model = source == Lead.ScoreSource.MODEL
        yield _Known(
            lead_id=lead_id,
            ending=Ending.DELETED if in_bin else _ENDINGS.get(status, Ending.DONE),
            is_over=in_bin or is_merged or status not in OPEN_STATUSES,
            chance=Decimal(score) / 100 if by_model else None,
            lead=OpenLead(
                status=status,
                score=score,
                is_unrouted=is_unrouted,
                captured_at=captured_at,
                qualified_at=qualified_at,
                heard_at=heard_at,
                answered_at=answered_at,
                has_plan=has_plan,
            ),
        )
