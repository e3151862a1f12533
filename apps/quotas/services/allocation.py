"""Sharing a quota out: from a person or territory to those below, and from a year to its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.errors import InvalidInput
from apps.core.money import LARGEST, to_cents
from apps.core.periods import Period, PeriodKind, parse_period, parts_of
from apps.core.permissions import require
from apps.opportunities.rules import WHOLE
from apps.quotas.errors import AllocatedElsewhere, refused_where_taken
from apps.quotas.models import Quota
from apps.quotas.permissions import SET_QUOTA
from apps.quotas.rules import QuotaShare, allocated
from apps.quotas.services.quotas import (
    Target,
    check_holders,
    keep_quotas,
    lock_quota,
)

MOST_SHARES = 200
BY = (PeriodKind.MONTH, PeriodKind.QUARTER)


@dataclass(frozen=True)
class Allocation:
    """What a quota was shared out into. The gap is below zero where more was given than there is.

    `is_kept` is False for one that was only tried out.
    """

    quota: Quota
    parts: Sequence[Target]
    is_kept: bool

    @property
    def allocated(self) -> Decimal:
        """What the parts come to."""
        return sum((one.quota.amount for one in self.parts), Decimal(0))

    @property
    def gap(self) -> Decimal:
        """What nobody was given yet."""
        return self.quota.amount - self.allocated


def allocate_quota(
    *,
    quota_id: UUID,
    shares: Sequence[QuotaShare],
    actor: Actor,
    by: str | None = None,
    seasonality: Sequence[Decimal] = (),
    over_assignment: Decimal = Decimal(0),
    dry_run: bool = False,
) -> Allocation:
    """Share a quota out: top-down over people and territories, and over the parts of its period.

    The parts come to the quota exactly, or to what over-assignment makes of it. Sharing it out anew
    changes them; whoever has no part any more keeps a quota of 0.

    Args:
        quota_id: of a quota within reach.
        shares: who gets a part, by weight, first day in the role and ramp.
        actor: needs `quota:set`; whoever does not see everything gives themselves no part.
        by: `month` or `quarter` of the quota's period; without it, all of the period.
        seasonality: a weight for each of those parts; without any they weigh the same.
        over_assignment: percent that is given out on top, as a cushion.
        dry_run: whether nothing is kept.

    Raises:
        NotFound, NotAllowed, InvalidInput, TerritoryInactive, OwnQuota, AllocatedElsewhere;
        QuotaTaken when somebody set one of the quotas at the same time.
    """
    with refused_where_taken():
        return _allocate(quota_id, shares, actor, by, seasonality, over_assignment, dry_run)


@command
def _allocate(
    quota_id: UUID,
    shares: Sequence[QuotaShare],
    actor: Actor,
    by: str | None,
    seasonality: Sequence[Decimal],
    over_assignment: Decimal,
    dry_run: bool,
) -> Allocation:
    quota = lock_quota(quota_id, actor=actor)
    require(actor, SET_QUOTA)
    _check_shares(shares, actor)
    amounts = _amounts(quota, shares, _parts(quota, by), seasonality, over_assignment)
    parts = [*_allotted(quota, shares, amounts)]
    if not dry_run:
        keep_quotas(parts, actor=actor)
    return Allocation(quota, parts, is_kept=not dry_run)


def _check_shares(shares: Sequence[QuotaShare], actor: Actor) -> None:
    holders = {one.holder_id for one in shares}
    if not shares or len(shares) > MOST_SHARES or len(holders) < len(shares):
        raise InvalidInput.field("shares", f"Give 1 to {MOST_SHARES}, everybody once.")
    if any(one.weight < 0 for one in shares):
        raise InvalidInput.field("shares", "No weight is below 0.")
    if any(not 0 <= percent <= WHOLE for one in shares for percent in one.ramp):
        raise InvalidInput.field("shares", "A ramp is in percent, 0 to 100.")
    check_holders(
        user_ids=[one.user_id for one in shares if one.user_id],
        territory_ids=[one.territory_id for one in shares if one.territory_id],
        actor=actor,
    )


def _parts(quota: Quota, by: str | None) -> list[Period]:
    start_month = settings.FISCAL_YEAR_START_MONTH
    period = parse_period(quota.period, start_month=start_month)
    if by is None:
        return [period]
    if by not in BY:
        raise InvalidInput.field("by", f"Share out by {' or '.join(BY)}.")
    return parts_of(period, PeriodKind(by), start_month=start_month)


def _amounts(
    quota: Quota,
    shares: Sequence[QuotaShare],
    parts: Sequence[Period],
    seasonality: Sequence[Decimal],
    over_assignment: Decimal,
) -> dict[tuple[UUID, Period], Decimal]:
    seasons = list(seasonality) or [Decimal(1)] * len(parts)
    if len(seasons) != len(parts) or min(seasons) < 0 or not any(seasons):
        raise InvalidInput.field("seasonality", f"Give {len(parts)} weights, not all of them 0.")
    total = to_cents(quota.amount * (WHOLE + over_assignment) / WHOLE)
    if not 0 <= over_assignment <= WHOLE or total > LARGEST:
        raise InvalidInput.field("over_assignment", "Give 0 to 100 percent.")
    try:
        return allocated(
            total,
            parts=parts,
            seasonality=seasons,
            shares=shares,
        )
    except ValueError as failure:
        raise InvalidInput.field("shares", f"Nobody carries anything in {failure}.") from None


def _allotted(
    parent: Quota,
    shares: Sequence[QuotaShare],
    amounts: dict[tuple[UUID, Period], Decimal],
) -> Iterator[Target]:
    """The quotas there are, as they are becoming, and new ones. Raises AllocatedElsewhere."""
    whose = {one.holder_id: one for one in shares}
    keys = {period.key for _, period in amounts}
    known = {
        (one.holder_id, one.period): one
        for one in Quota.objects.select_for_update(of=("self",))
        .filter(holder_id__in=whose, period__in=keys, quota_type=parent.quota_type)
        .order_by("pk")
    }
    above = _above(parent)
    for (holder_id, period), amount in amounts.items():
        one = known.get((holder_id, period.key))
        if one is None:
            yield Target(_new(parent, whose[holder_id], period, amount), None)
            continue
        if one.pk in above or one.parent_id not in (None, parent.pk):
            raise AllocatedElsewhere
        yield _changed(one, parent, amount)
    wanted = {(holder_id, period.key) for holder_id, period in amounts}
    for one in parent.children.select_for_update(of=("self",)).order_by("pk"):
        if (one.holder_id, one.period) not in wanted:
            yield _changed(one, parent, Decimal("0.00"))


def _changed(quota: Quota, parent: Quota, amount: Decimal) -> Target:
    previous, is_adopted = quota.amount, quota.parent_id != parent.pk
    quota.amount, quota.parent = amount, parent
    return Target(quota, previous, is_adopted)


def _above(quota: Quota) -> set[UUID]:
    """A quota and those from which it was shared out."""
    found = {quota.pk}
    while quota.parent_id is not None:
        quota = Quota.objects.get(pk=quota.parent_id)
        found.add(quota.pk)
    return found


def _new(parent: Quota, share: QuotaShare, period: Period, amount: Decimal) -> Quota:
    return Quota(
        parent=parent,
        amount=amount,
        user_id=share.user_id,
        territory_id=share.territory_id,
        period=period.key,
        starts_on=period.starts_on,
        ends_on=period.ends_on,
        quota_type=parent.quota_type,
        currency=parent.currency,
    )
