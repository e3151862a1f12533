"""Answers about commissions: what people are due for a period, and for which deals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import Q

from apps.commissions.models import CommissionEntry, CommissionMember, CommissionPlan
from apps.commissions.permissions import READ_COMMISSION
from apps.commissions.rules import Earning, Share, commission, shares_of
from apps.core.actors import Actor
from apps.core.errors import NotFound
from apps.core.money import ZERO
from apps.core.periods import Period
from apps.core.permissions import require
from apps.quotas.models import Quota
from apps.quotas.rules import QuotaType

# What a statement is made of: plan, kind and rate.
Line = tuple[UUID, str, Decimal]


@dataclass(frozen=True)
class Due:
    """What is paid at one rate: the part of the credits, and what it makes."""

    base: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Statement:
    """What a person is due for a period, beside what was worked out before."""

    user_id: UUID
    quota: Decimal | None
    credited: Decimal
    due: dict[Line, Due]
    before: dict[Line, Due]

    @property
    def commission(self) -> Decimal:
        """All that is due."""
        return sum((one.amount for one in self.due.values()), ZERO)

    @property
    def change(self) -> Decimal:
        """What comes to what was due before."""
        return self.commission - sum((one.amount for one in self.before.values()), ZERO)

    def differences(self) -> Iterator[tuple[Line, Due]]:
        """Line by line, what makes of what stood what is due."""
        nothing = Due(ZERO, ZERO)
        for line in sorted({*self.due, *self.before}, key=str):
            now, then = self.due.get(line, nothing), self.before.get(line, nothing)
            if now != then:
                yield line, Due(now.base - then.base, now.amount - then.amount)


def people_on_plans(period: Period, actor: Actor) -> list[UUID]:
    """Who within reach is or was due something for a period."""
    members = CommissionMember.objects.visible_to(actor).filter(
        Q(ends_on=None) | Q(ends_on__gte=period.starts_on),
        plan__pays_by=period.kind,
        starts_on__lte=period.ends_on,
    )
    entries = CommissionEntry.objects.visible_to(actor).filter(period=period.key)
    people: list[UUID] = sorted(
        {*members.values_list("user_id", flat=True), *entries.values_list("user_id", flat=True)}
    )
    return people


def statements(period: Period, user_ids: Sequence[UUID]) -> Iterator[Statement]:
    """What each of some people is due for a period."""
    rates = {one.pk: one.rates for one in CommissionPlan.objects.all()}
    quotas = _quotas(period, user_ids)
    before = _standing(period, user_ids)
    earned = _earnings(period, user_ids)
    for user_id in user_ids:
        earnings = earned.get(user_id, [])
        shares = shares_of(earnings, quota=quotas.get(user_id), rates=rates)
        yield Statement(
            user_id,
            quotas.get(user_id),
            sum((one.amount for one in earnings), ZERO),
            _added_up(shares),
            before.get(user_id, {}),
        )


@dataclass(frozen=True)
class CommissionedDeal:
    """What a deal makes for a person."""

    opportunity_id: UUID
    name: str
    share: Share
    amount: Decimal


def commissioned_deals(*, period: Period, user_id: UUID, actor: Actor) -> list[CommissionedDeal]:
    """The deals that somebody within reach is due commission for, with the rate of each part.

    Raises NotAllowed, NotFound.
    """
    require(actor, READ_COMMISSION)
    if not actor.reach.everything and user_id not in actor.reach.user_ids:
        raise NotFound
    rates = {one.pk: one.rates for one in CommissionPlan.objects.all()}
    earnings = _earnings(period, [user_id]).get(user_id, [])
    shares = list(shares_of(earnings, quota=_quotas(period, [user_id]).get(user_id), rates=rates))
    names = _names({one.earning.opportunity_id for one in shares})
    return [
        CommissionedDeal(
            one.earning.opportunity_id,
            names[one.earning.opportunity_id],
            one,
            commission(one.amount, one.rate),
        )
        for one in shares
    ]


def _added_up(shares: Iterator[Share]) -> dict[Line, Due]:
    bases: dict[Line, Decimal] = defaultdict(Decimal)
    for one in shares:
        bases[one.earning.plan_id, one.earning.kind, one.rate] += one.amount
    return {line: Due(base, commission(base, line[2])) for line, base in bases.items()}


def _quotas(period: Period, user_ids: Sequence[UUID]) -> dict[UUID, Decimal]:
    rows = Quota.objects.filter(
        user_id__any=user_ids, period=period.key, quota_type=QuotaType.REVENUE
    )
    return dict(rows.values_list("user_id", "amount"))


# What was taken back is nothing, and the plan is the one of the day the deal was won.
_EARNED = """
SELECT c.user_id, c.opportunity_id, m.plan_id, c.kind, c.closed_on, sum(c.converted)
FROM quotas_quotacredit c
JOIN commissions_commissionmember m ON m.user_id = c.user_id
     AND c.closed_on >= m.starts_on AND (m.ends_on IS NULL OR c.closed_on <= m.ends_on)
JOIN commissions_commissionplan p ON p.id = m.plan_id AND p.pays_by = %(kind)s
WHERE c.holder_id = ANY(%(people)s::uuid[]) AND c.closed_on BETWEEN %(starts_on)s AND %(ends_on)s
GROUP BY c.user_id, c.opportunity_id, m.plan_id, c.kind, c.closed_on
HAVING sum(c.converted) <> 0
"""


def _earnings(period: Period, user_ids: Sequence[UUID]) -> dict[UUID, list[Earning]]:
    found: dict[UUID, list[Earning]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            _EARNED,
            {
                "kind": period.kind,
                "people": list(user_ids),
                "starts_on": period.starts_on,
                "ends_on": period.ends_on,
            },
        )
        for user_id, *facts in cursor.fetchall():
            found[user_id].append(Earning(*facts))
    return found


_STANDING = """
SELECT user_id, plan_id, kind, rate, sum(base), sum(amount)
FROM commissions_commissionentry
WHERE period = %s AND user_id = ANY(%s::uuid[])
GROUP BY user_id, plan_id, kind, rate
HAVING sum(base) <> 0 OR sum(amount) <> 0
"""


def _standing(period: Period, user_ids: Sequence[UUID]) -> dict[UUID, dict[Line, Due]]:
    found: dict[UUID, dict[Line, Due]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [period.key, list(user_ids)])
        for user_id, plan_id, kind, rate, base, amount in cursor.fetchall():
            found[user_id][plan_id, kind, rate] = Due(base, amount)
    return found


def _names(opportunity_ids: Collection[UUID]) -> dict[UUID, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, name FROM opportunities_opportunity WHERE id = ANY(%s::uuid[])",
            [list(opportunity_ids)],
        )
        return dict(cursor.fetchall())
