"""Answers about quotas: what is attained, and whether the ledger agrees with the deals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from apps.core.actors import Actor
from apps.core.errors import InvalidInput, NotFound
from apps.core.periods import Period, PeriodKind
from apps.core.permissions import require
from apps.quotas.permissions import READ_QUOTA
from apps.quotas.rules import Pace, QuotaType, pace, percentage_of

# Of a quota `t`: descents into a covering index of the ledger, never a look at deals. Whoever leads
# is credited with what those below sold; the overlays of those are sold by somebody already.
_CREDITED = """
FROM quotas_quotacredit c WHERE c.holder_id = ANY(quotas_below(t.holder_id))
AND c.closed_on BETWEEN t.starts_on AND t.ends_on
AND (c.holder_id = t.holder_id OR c.kind <> 'overlay')
"""
ATTAINED = f"""(
    CASE t.quota_type
    WHEN 'revenue' THEN (SELECT coalesce(sum(c.converted), 0.00) {_CREDITED})
    WHEN 'deals' THEN (SELECT coalesce(sum(c.deals), 0)::numeric(20, 2) {_CREDITED})
    END)"""

# What a quota `t` was shared out into; nothing where it was not.
ALLOCATED = "(SELECT sum(part.amount) FROM quotas_quota part WHERE part.parent_id = t.id)"


@dataclass(frozen=True)
class Attainment:
    """How a quota stands. What is not credited yet has neither attainment nor projection."""

    quota_id: UUID
    quota_type: str
    amount: Decimal
    currency: str
    attained: Decimal | None
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
    standing = pace(amount=amount, attained=attained or Decimal(0), period=meant, today=today)
    if quota_type == QuotaType.ACTIVITIES:
        return Attainment(
            quota_id, quota_type, amount, currency, None, None, Pace(standing.expected, None)
        )
    percentage = percentage_of(attained, amount)
    return Attainment(quota_id, quota_type, amount, currency, attained, percentage, standing)


def attained_of(quota_ids: Sequence[UUID]) -> dict[UUID, Decimal | None]:
    """What is attained of some quotas, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT t.id, {ATTAINED} FROM quotas_quota t WHERE t.id = ANY(%s)", [list(quota_ids)]
        )
        return dict(cursor.fetchall())


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
