"""What was known of deals at given moments, rebuilt from their history, set by set.

Nothing that happened after a moment changes what this says of it. The history of a deal's worth is
`OpportunityChange`; other columns are those of today with whatever changed since put back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from apps.core.history import undone

# Of each deal: when it began, and once in each third of its life.
MOMENTS = 4
MOST_DEALS = 20_000
AT_ONCE = 500

# Today's values, with what was put there after the moment undone.
_FACTS = """
WITH asked AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(moments)s::timestamptz[])
    WITH ORDINALITY AS a(deal_id, moment, place)
)
SELECT a.place, st.key AS stage, s.category_to AS category,
       s.probability_to AS probability, s.amount_to AS amount, s.currency,
       s.amount_to / nullif(p.first_amount, 0) AS amount_growth,
       s.close_to - (a.moment AT TIME ZONE %(zone)s)::date AS days_to_close,
       extract(epoch FROM a.moment - o.created_at) / 86400 AS age_days,
       extract(epoch FROM a.moment - p.entered_at) / 86400 AS days_in_stage,
       p.moves, p.pushes, p.pulls, p.handovers,
       CASE WHEN d.deal ->> 'next_step' <> '' THEN 'agreed' ELSE 'not agreed' END AS next_step,
       CASE WHEN d.deal ->> 'lines_total' IS NULL THEN 'not named' ELSE 'named' END AS products,
       CASE WHEN o.lead_id IS NULL THEN 'no lead' ELSE 'a lead' END AS origin,
       t.activities, t.recent_activities,
       extract(epoch FROM a.moment - t.last_at) / 86400 AS days_since_activity,
       c.account ->> 'industry' AS industry,
       (c.account ->> 'employee_count')::float8 AS employee_count,
       (c.account ->> 'annual_revenue')::float8 AS annual_revenue,
       r.win_rate AS owner_win_rate, r.closings AS owner_closings
FROM asked a
JOIN opportunities_opportunity o ON o.id = a.deal_id
CROSS JOIN LATERAL (
    SELECT * FROM opportunities_opportunitychange h
    WHERE h.opportunity_id = a.deal_id AND h.at <= a.moment ORDER BY h.seq DESC LIMIT 1
) AS s
JOIN opportunities_stage st ON st.id = s.stage_to_id AND st.kind = 'open'
CROSS JOIN LATERAL (
    SELECT max(h.at) FILTER (WHERE h.stage_from_id IS DISTINCT FROM h.stage_to_id) AS entered_at,
           count(*) FILTER (WHERE h.stage_from_id <> h.stage_to_id) AS moves,
           count(*) FILTER (WHERE h.close_to > h.close_from) AS pushes,
           count(*) FILTER (WHERE h.close_to < h.close_from) AS pulls,
           count(*) FILTER (WHERE h.owner_from_id <> h.owner_to_id) AS handovers,
           (array_agg(h.amount_to ORDER BY h.seq) FILTER (WHERE h.amount_to > 0))[1] AS first_amount
    FROM opportunities_opportunitychange h
    WHERE h.opportunity_id = a.deal_id AND h.at <= a.moment
) AS p
CROSS JOIN LATERAL ({of_deal}) AS was
CROSS JOIN LATERAL (
    SELECT jsonb_build_object('next_step', o.next_step, 'lines_total', o.lines_total,
                              'account_id', o.account_id)
           || coalesce(was.undone, '{{}}') AS deal
) AS d
JOIN accounts_account acc ON acc.id = (d.deal ->> 'account_id')::uuid
CROSS JOIN LATERAL ({of_account}) AS there
CROSS JOIN LATERAL (
    SELECT jsonb_build_object('industry', acc.industry, 'employee_count', acc.employee_count,
                              'annual_revenue', acc.annual_revenue)
           || coalesce(there.undone, '{{}}') AS account
) AS c
CROSS JOIN LATERAL (
    SELECT count(*) AS activities, max(v.completed_at) AS last_at,
           count(*) FILTER (WHERE v.completed_at > a.moment - interval '30 days')
               AS recent_activities
    FROM activities_activity v
    WHERE v.opportunity_id = a.deal_id AND v.completed_at <= a.moment AND v.created_at <= a.moment
      AND (v.deleted_at IS NULL OR v.deleted_at > a.moment)
) AS t
CROSS JOIN LATERAL (
    SELECT 100 * avg((k.kind = 'won')::int)::float8 AS win_rate, count(*) AS closings FROM (
        SELECT h.kind FROM opportunities_opportunitychange h
        WHERE h.owner_to_id = s.owner_to_id AND h.kind IN ('won', 'lost') AND h.at < a.moment
          AND h.opportunity_id <> a.deal_id
        ORDER BY h.at DESC LIMIT 50
    ) AS k
) AS r
ORDER BY a.place
""".format(
    of_deal=undone(
        row="a.deal_id",
        kind="opportunities",
        moment="a.moment",
        columns=("next_step", "lines_total", "account_id"),
    ),
    of_account=undone(
        row="acc.id",
        kind="accounts",
        moment="a.moment",
        columns=("industry", "employee_count", "annual_revenue"),
    ),
)


@dataclass(frozen=True)
class Moment:
    """A deal as it was at a moment, and how it ended, where it did."""

    deal_id: UUID
    at: datetime
    closed_at: datetime | None = None
    is_won: bool = False


@dataclass(frozen=True)
class Known:
    """What was known of a deal at a moment."""

    moment: Moment
    facts: dict[str, Any]


def known_of_deals(moments: Sequence[Moment]) -> list[Known]:
    """What was known of deals at given moments; those at which one was not open are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            _FACTS,
            {
                "ids": [one.deal_id for one in moments],
                "moments": [one.at for one in moments],
                "zone": settings.ORGANISATION_TIME_ZONE,
            },
        )
        names = [column.name for column in cursor.description or ()][1:]
        return [
            Known(moments[place - 1], dict(zip(names, values, strict=True)))
            for place, *values in cursor.fetchall()
        ]


_CLOSED = """
SELECT o.id, o.created_at, coalesce(o.won_at, o.lost_at) AS closed_at, o.kind = 'won'
FROM opportunities_opportunity o
WHERE o.kind IN ('won', 'lost') AND o.deleted_at IS NULL
  AND o.created_at < coalesce(o.won_at, o.lost_at)
ORDER BY closed_at DESC, o.id DESC LIMIT %s
"""


def closed_deals() -> list[list[Moment]]:
    """The deals that closed last, in parts: each deal at moments of its life."""
    with connection.cursor() as cursor:
        cursor.execute(_CLOSED, [MOST_DEALS])
        found = cursor.fetchall()
    parts = (found[start : start + AT_ONCE] for start in range(0, len(found), AT_ONCE))
    return [[one for deal in part for one in _life(*deal)] for part in parts]


def _life(
    deal_id: UUID, created_at: datetime, closed_at: datetime, is_won: bool
) -> Iterator[Moment]:
    """Moments of a deal's life, the same every time: its beginning, and one of each third."""
    life = closed_at - created_at
    yield Moment(deal_id, created_at, closed_at, is_won)
    for third in range(MOMENTS - 1):
        digest = blake2b(deal_id.bytes, digest_size=4, salt=bytes([third])).digest()
        share = (third + int.from_bytes(digest) / 2**32) / (MOMENTS - 1)
        yield Moment(deal_id, created_at + share * life, closed_at, is_won)


_OPEN = """
SELECT o.id FROM opportunities_opportunity o
WHERE o.kind = 'open' AND o.deleted_at IS NULL AND o.id > %s ORDER BY o.id LIMIT %s
"""


def open_deals_after(deal_id: UUID) -> list[UUID]:
    """The next open deals in the order of their ids."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, [deal_id, AT_ONCE])
        return [row[0] for row in cursor.fetchall()]
