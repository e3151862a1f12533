"""Answers about quotas: what is attained, and whether that agrees with deals and activities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from apps.core.actors import Actor
from apps.core.errors import InvalidInput, NotFound
from apps.core.money import ZERO
from apps.core.periods import Period, PeriodKind
from apps.core.permissions import require
from apps.quotas.permissions import READ_QUOTA
from apps.quotas.rules import CreditKind, Pace, pace, percentage_of

# Of a quota `t`: descents into a covering index of the ledger, never a look at deals. Whoever leads
# is credited with what those below sold; the overlays of those are sold by somebody already.
_CREDITED = """
FROM quotas_quotacredit c WHERE c.holder_id = ANY(quotas_below(t.holder_id))
AND c.closed_on BETWEEN t.starts_on AND t.ends_on
AND (c.holder_id = t.holder_id OR c.kind <> 'overlay')
"""
_COUNTED = """
FROM quotas_activitycount a WHERE a.holder_id = ANY(quotas_below(t.holder_id))
AND a.day BETWEEN t.starts_on AND t.ends_on
"""
ATTAINED = f"""(
    CASE t.quota_type
    WHEN 'revenue' THEN (SELECT coalesce(sum(c.converted), 0.00) {_CREDITED})
    WHEN 'deals' THEN (SELECT coalesce(sum(c.deals), 0)::numeric(20, 2) {_CREDITED})
    WHEN 'activities' THEN (SELECT coalesce(sum(a.count), 0)::numeric(20, 2) {_COUNTED})
    END)"""

# What a quota `t` was shared out into; nothing where it was not.
ALLOCATED = "(SELECT sum(part.amount) FROM quotas_quota part WHERE part.parent_id = t.id)"


@dataclass(frozen=True)
class Attainment:
    """How a quota stands."""

    quota_id: UUID
    quota_type: str
    amount: Decimal
    currency: str
    attained: Decimal
    percentage: Decimal | None
    pace: Pace


_ATTAINMENTS = f"""
SELECT t.id, t.quota_type, t.amount, t.currency, t.starts_on, t.ends_on, {ATTAINED}
FROM quotas_quota t WHERE t.holder_id = %s AND t.period = %s ORDER BY t.quota_type
"""


def attainments(
    *,
    actor: Actor,
    period: str,
    today: date,
    user_id: UUID | None = None,
    territory_id: UUID | None = None,
) -> list[Attainment]:
    """How the quotas of a person or territory within reach stand for a period.

    Raises NotAllowed, InvalidInput, NotFound.
    """
    require(actor, READ_QUOTA)
    if (user_id is None) == (territory_id is None):
        raise InvalidInput.field("user_id", "Give either a user_id or a territory_id.")
    if not actor.reach.includes(owner_id=user_id, territory_id=territory_id):
        raise NotFound
    with connection.cursor() as cursor:
        cursor.execute(_ATTAINMENTS, [user_id or territory_id, period])
        return [_attainment(row, period, today) for row in cursor.fetchall()]


def _attainment(row: Sequence[Any], key: str, today: date) -> Attainment:
    quota_id, quota_type, amount, currency, starts_on, ends_on, attained = row
    meant = Period(starts_on, ends_on, key, PeriodKind.MONTH)
    return Attainment(
        quota_id=quota_id,
        quota_type=quota_type,
        amount=amount,
        currency=currency,
        attained=attained,
        percentage=percentage_of(attained, amount),
        pace=pace(amount=amount, attained=attained, period=meant, today=today),
    )


def attained_of(quota_ids: Sequence[UUID]) -> dict[UUID, Decimal]:
    """What is attained of some quotas, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT t.id, {ATTAINED} FROM quotas_quota t WHERE t.id = ANY(%s)", [list(quota_ids)]
        )
        return dict(cursor.fetchall())


@dataclass(frozen=True)
class Credited:
    """What a branch is credited: what was sold in it, and the help of whoever heads it."""

    sold: Decimal = ZERO
    helped: Decimal = ZERO


_OF_BRANCHES = """
SELECT b.head, coalesce(sum(c.converted) FILTER (WHERE c.kind <> 'overlay'), 0.00),
       coalesce(sum(c.converted) FILTER (WHERE c.kind = 'overlay'), 0.00)
FROM unnest(%s::uuid[], %s::uuid[]) AS b(holder, head)
JOIN quotas_quotacredit c ON c.holder_id = b.holder AND c.closed_on BETWEEN %s AND %s
 AND (c.kind <> 'overlay' OR b.holder = b.head)
GROUP BY b.head
"""


def credited_to(
    heads: Mapping[UUID, UUID | None], *, first: date, last: date
) -> dict[UUID | None, Credited]:
    """What branches are credited for some days, by their heads.

    `heads` holds, of each person or territory, whose branch it belongs to.
    """
    with connection.cursor() as cursor:
        cursor.execute(_OF_BRANCHES, [list(heads), list(heads.values()), first, last])
        return {head: Credited(*sums) for head, *sums in cursor.fetchall()}


@dataclass(frozen=True)
class MonthRevenue:
    """What was sold in a month. Deals are counted by the shares in them."""

    month: str
    amount: Decimal
    deals: Decimal


@dataclass(frozen=True)
class TerritoryRevenue:
    """What was sold in a territory itself, beside its quota."""

    territory_id: UUID
    amount: Decimal
    deals: Decimal
    quota: Decimal | None

    @property
    def percentage(self) -> Decimal | None:
        """Of the quota, if there is one."""
        return None if self.quota is None else percentage_of(self.amount, self.quota)


@dataclass(frozen=True)
class Revenue:
    """What was sold in a period."""

    by_month: list[MonthRevenue]
    by_territory: list[TerritoryRevenue]

    @property
    def amount(self) -> Decimal:
        """All of it."""
        return sum((one.amount for one in self.by_month), ZERO)

    @property
    def deals(self) -> Decimal:
        """How many deals it was."""
        return sum((one.deals for one in self.by_month), ZERO)


_BY_MONTH = """
SELECT to_char(c.closed_on, '"M"MM_YYYY'), sum(c.converted), sum(c.deals)
FROM quotas_quotacredit c
WHERE c.kind = %(kind)s AND c.closed_on BETWEEN %(starts_on)s AND %(ends_on)s
  AND (%(holders)s::uuid[] IS NULL OR c.holder_id = ANY(%(holders)s::uuid[]))
GROUP BY date_trunc('month', c.closed_on), 1
ORDER BY date_trunc('month', c.closed_on)
"""
_BY_TERRITORY = """
SELECT c.holder_id, sum(c.converted), sum(c.deals),
       (SELECT q.amount FROM quotas_quota q
        WHERE q.holder_id = c.holder_id AND q.period = %(period)s AND q.quota_type = 'revenue')
FROM quotas_quotacredit c
WHERE c.kind = 'territory' AND c.closed_on BETWEEN %(starts_on)s AND %(ends_on)s
  AND (%(places)s::uuid[] IS NULL OR c.holder_id = ANY(%(places)s::uuid[]))
GROUP BY c.holder_id HAVING sum(c.deals) <> 0
ORDER BY 2 DESC, 1
"""


def revenue(
    *,
    period: Period,
    actor: Actor,
    user_id: UUID | None = None,
    territory_id: UUID | None = None,
) -> Revenue:
    """What was sold in a period: by people within reach, by one with their reports, or in a
    territory with those below it. What is asked of a person has no territories.

    Raises NotAllowed, InvalidInput, NotFound (sales-system-integrations, Finance System).
    """
    require(actor, READ_QUOTA)
    if user_id is not None and territory_id is not None:
        raise InvalidInput.field("user_id", "Give either a user_id or a territory_id.")
    reach = actor.reach
    asked = user_id or territory_id
    if asked and not reach.includes(owner_id=user_id, territory_id=territory_id):
        raise NotFound
    people = None if reach.everything else list(reach.user_ids)
    places = None if reach.everything else list(reach.territory_ids)
    with connection.cursor() as cursor:
        if asked:
            cursor.execute("SELECT quotas_below(%s)", [asked])
            people = places = cursor.fetchone()[0]
        parameters = {
            "kind": CreditKind.TERRITORY if territory_id else CreditKind.REVENUE,
            "starts_on": period.starts_on,
            "ends_on": period.ends_on,
            "period": period.key,
            "holders": people,
            "places": [] if user_id else places,
        }
        cursor.execute(_BY_MONTH, parameters)
        by_month = [MonthRevenue(*row) for row in cursor.fetchall()]
        cursor.execute(_BY_TERRITORY, parameters)
        return Revenue(by_month, [TerritoryRevenue(*row) for row in cursor.fetchall()])


# What won deals should be credited, and what the ledger holds, holder by holder.
_DISAGREEMENTS = """
WITH due AS (
    SELECT o.id AS opportunity_id, o.owner_id AS holder_id, 'revenue' AS kind,
           o.actual_close_date AS closed_on, o.currency, o.amount AS least, o.amount AS most
    FROM opportunities_opportunity o
    WHERE o.kind = 'won' AND NOT EXISTS (
        SELECT FROM opportunities_opportunitysplit s
        WHERE s.opportunity_id = o.id AND s.kind = 'revenue')
    UNION ALL
    SELECT o.id, s.user_id, s.kind, o.actual_close_date, o.currency,
           trunc(o.amount * s.percentage / 100, 2),
           trunc(o.amount * s.percentage / 100, 2) + 0.01
    FROM opportunities_opportunity o
    JOIN opportunities_opportunitysplit s ON s.opportunity_id = o.id
    WHERE o.kind = 'won'
    UNION ALL
    SELECT o.id, o.territory_id, 'territory', o.actual_close_date, o.currency, o.amount, o.amount
    FROM opportunities_opportunity o WHERE o.kind = 'won' AND o.territory_id IS NOT NULL
), held AS (
    SELECT opportunity_id, holder_id, kind, closed_on, currency, sum(amount) AS amount
    FROM quotas_quotacredit GROUP BY 1, 2, 3, 4, 5
    HAVING count(*) FILTER (WHERE reverses_id IS NULL)
         > count(*) FILTER (WHERE reverses_id IS NOT NULL) OR sum(amount) <> 0
)
SELECT opportunity_id, holder_id, kind, coalesce(due.least, 0), coalesce(held.amount, 0)
FROM due FULL JOIN held USING (opportunity_id, holder_id, kind, closed_on, currency)
WHERE held.amount IS NULL OR due.least IS NULL OR NOT held.amount BETWEEN due.least AND due.most
ORDER BY 1, 2, 3
"""


@dataclass(frozen=True)
class Disagreement:
    """A credit that is not what the deal says."""

    opportunity_id: UUID
    holder_id: UUID
    kind: str
    due: Decimal
    held: Decimal

    def __str__(self) -> str:
        return (
            f"Deal {self.opportunity_id}: {self.holder_id} is due {self.due} ({self.kind}) "
            f"and credited {self.held}"
        )


def disagreements() -> Iterator[Disagreement]:
    """Where the ledger and the deals differ; what nobody has heard yet does too."""
    with connection.cursor() as cursor:
        cursor.execute(_DISAGREEMENTS)
        yield from (Disagreement(*row) for row in cursor.fetchall())


# One statement sees one moment: what is counted, what waits to be, and the activities.
MISCOUNTS = """
WITH due AS (
    SELECT holder_id, (a.completed_at AT TIME ZONE %(zone)s)::date AS day, count(*) AS count
    FROM activities_activity a
    CROSS JOIN LATERAL unnest(ARRAY[a.user_id, a.territory_id]) AS holder_id
    WHERE a.completed_at IS NOT NULL AND a.deleted_at IS NULL AND NOT a.subject_in_bin
      AND holder_id IS NOT NULL
    GROUP BY 1, 2
), held AS (
    SELECT holder_id, day, sum(count) AS count
    FROM (SELECT holder_id, day, count FROM quotas_activitycount
          UNION ALL
          SELECT holder_id, (completed_at AT TIME ZONE %(zone)s)::date, count
          FROM quotas_activitynews) AS one
    GROUP BY 1, 2
)
SELECT holder_id, day, coalesce(due.count, 0) AS due, coalesce(held.count, 0) AS held
FROM due FULL JOIN held USING (holder_id, day)
WHERE coalesce(due.count, 0) <> coalesce(held.count, 0)
"""


@dataclass(frozen=True)
class Miscount:
    """A day of which the count is not what the activities say."""

    holder_id: UUID
    day: date
    due: int
    held: int

    def __str__(self) -> str:
        return (
            f"Activities of {self.holder_id} on {self.day}: {self.due}, and {self.held} are counted"
        )


def miscounts() -> list[Miscount]:
    """Where the count and the activities differ."""
    with connection.cursor() as cursor:
        cursor.execute(f"{MISCOUNTS} ORDER BY 1, 2", {"zone": settings.ORGANISATION_TIME_ZONE})
        return [Miscount(*row) for row in cursor.fetchall()]
