"""Which deals were won and lost, told apart by one thing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.db import connection

from apps.core.actors import Actor
from apps.core.periods import check_days
from apps.core.permissions import require
from apps.core.rows.scope import OwnedScope
from apps.intelligence.rules.win_loss import STEPS, Aspect, Group, Tally, ranked
from apps.opportunities.permissions import READ_OPPORTUNITY

LONGEST_DAYS = 5 * 366
MOST_GROUPS = 100


@dataclass(frozen=True)
class WinLoss:
    """Deals that were closed between two days, and the groups of them.

    `groups_total` is more than there are groups here where only the largest are told.
    """

    total: Tally
    groups: list[Group]
    groups_total: int


@dataclass(frozen=True)
class _ToldApart:
    """How SQL tells deals apart: by a key, under a name, with what is joined for it."""

    key: str
    name: str = "''"
    joined: str = ""
    is_first: str = "TRUE"


_ACCOUNT = "JOIN accounts_account a ON a.id = t.account_id"
_COMPETITORS = """
LEFT JOIN LATERAL jsonb_array_elements_text(
    CASE jsonb_typeof(t.metadata -> 'competition') WHEN 'array' THEN t.metadata -> 'competition' END
) WITH ORDINALITY AS c(name, place) ON TRUE
"""
_TOLD_APART = {
    Aspect.REASON: _ToldApart("lower(btrim(t.loss_reason))", "btrim(t.loss_reason)"),
    Aspect.STAGE: _ToldApart(
        "s.key", "s.name", "JOIN opportunities_stage s ON s.id = t.last_open_stage_id"
    ),
    Aspect.COMPETITOR: _ToldApart(
        "lower(btrim(c.name))", "btrim(c.name)", _COMPETITORS, "coalesce(c.place, 1) = 1"
    ),
    Aspect.INDUSTRY: _ToldApart("lower(a.industry)", "a.industry", _ACCOUNT),
    Aspect.SIZE: _ToldApart("width_bucket(a.employee_count - 1, %(limits)s)", joined=_ACCOUNT),
    Aspect.COUNTRY: _ToldApart("a.country", "a.country", _ACCOUNT),
    Aspect.SOURCE: _ToldApart(
        "lower(l.source)", "l.source", "LEFT JOIN leads_lead l ON l.id = t.lead_id"
    ),
    Aspect.OWNER: _ToldApart("t.owner_id", "u.name", "JOIN users_user u ON u.id = t.owner_id"),
    Aspect.TERRITORY: _ToldApart(
        "t.territory_id", "y.name", "LEFT JOIN territories_territory y ON y.id = t.territory_id"
    ),
    Aspect.CYCLE: _ToldApart("width_bucket(d.days - 1, %(limits)s)"),
}
# A deal with several competitors is in the group of each, and once in the total.
_GROUPS = """
WITH closed AS MATERIALIZED (
    SELECT t.kind = 'won' AS is_won, d.days, {is_first} AS is_first,
           coalesce({key}::text, '') AS key, coalesce({name}, '') AS name
    FROM opportunities_opportunity t
    CROSS JOIN LATERAL (
        SELECT greatest(0, t.actual_close_date - (t.created_at AT TIME ZONE %(zone)s)::date) AS days
    ) AS d {joined}
    WHERE t.deleted_at IS NULL AND t.kind <> 'open'
      AND t.actual_close_date BETWEEN %(first)s AND %(last)s AND {reach}
)
SELECT NULL, '', {counts}, 0 FROM closed WHERE is_first
UNION ALL (
    SELECT key, mode() WITHIN GROUP (ORDER BY name), {counts}, count(*) OVER ()
    FROM closed WHERE {counted}
    GROUP BY key ORDER BY count(*) DESC, key LIMIT {most}
)
"""
_COUNTS = """
count(*) FILTER (WHERE is_won)::int, count(*) FILTER (WHERE NOT is_won)::int,
percentile_disc(0.5) WITHIN GROUP (ORDER BY days)
"""


def win_loss(*, actor: Actor, by: Aspect, first: date, last: date) -> WinLoss:
    """What wins and what loses deals, of those within the actor's reach that were closed.

    Args:
        actor: whose reach counts.
        by: what the deals are told apart by.
        first: the first day on which one was closed, in the organisation's time zone.
        last: the last of these days, at most five years later.

    Raises NotAllowed, InvalidInput (sales-core, Intelligence).
    """
    require(actor, READ_OPPORTUNITY)
    check_days(first, last, at_most=LONGEST_DAYS)
    within, named = OwnedScope().condition(actor).named()
    told, steps = _TOLD_APART[by], STEPS.get(by)
    statement = _GROUPS.format(
        key=told.key,
        name=told.name,
        joined=told.joined,
        is_first=told.is_first,
        reach=within,
        counts=_COUNTS,
        counted="NOT is_won" if by.is_of_losses else "TRUE",
        most=MOST_GROUPS,
    )
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            {
                "zone": settings.ORGANISATION_TIME_ZONE,
                "first": first,
                "last": last,
                "limits": list(steps.limits) if steps else [],
                **named,
            },
        )
        (_, _, *counts, _), *rows = cursor.fetchall()
    total = Tally(*counts)
    groups = [
        (key, steps.names[int(key)] if steps and key else name, Tally(*counts))
        for key, name, *counts, _ in rows
    ]
    return WinLoss(total, ranked(by, total, groups), rows[0][-1] if rows else 0)
