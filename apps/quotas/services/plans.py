"""Planning a fiscal year: many quotas at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.errors import InvalidInput
from apps.core.periods import parse_period
from apps.core.permissions import require
from apps.quotas.errors import QuotaChangedMeanwhile, refused_where_taken
from apps.quotas.models import Quota
from apps.quotas.permissions import SET_QUOTA
from apps.quotas.rules import QuotaType
from apps.quotas.services.quotas import Target, check_holders, keep_quotas

MOST_CELLS = 1_000


@dataclass(frozen=True)
class PlannedQuota:
    """What somebody is to bring in a period, and what that was when it was read, if anything."""

    user_id: UUID
    period: str
    amount: Decimal
    read: Decimal | None = None


def plan_quotas(*, quota_type: str, quotas: Sequence[PlannedQuota], actor: Actor) -> list[Quota]:
    """Set or change quotas of people, all or none of them. What stays as it is tells nothing.

    Args:
        quota_type: one of `QuotaType`.
        quotas: one for each person and period; refused if it is not any more what was read.
        actor: needs `quota:set`; whoever does not see everything plans no quota of their own.

    Raises:
        NotAllowed, InvalidInput, OwnQuota, QuotaTaken, QuotaChangedMeanwhile (sales-core, Quotas).
    """
    with refused_where_taken():
        return _plan(quota_type, quotas, actor)


@command
def _plan(quota_type: str, quotas: Sequence[PlannedQuota], actor: Actor) -> list[Quota]:
    require(actor, SET_QUOTA)
    if quota_type not in QuotaType.values:
        raise InvalidInput.field("quota_type", f"Give one of {', '.join(QuotaType.values)}.")
    if not 0 < len({(one.user_id, one.period) for one in quotas}) == len(quotas) <= MOST_CELLS:
        raise InvalidInput.field("quotas", f"Give 1 to {MOST_CELLS}, each once.")
    check_holders(user_ids={one.user_id for one in quotas}, territory_ids=[], actor=actor)
    targets = list(_targets(quota_type, quotas))
    keep_quotas(targets, actor=actor)
    return [one.quota for one in targets]


def _targets(quota_type: str, quotas: Sequence[PlannedQuota]) -> Iterator[Target]:
    """The quotas there are, as they are becoming, and new ones. Raises QuotaChangedMeanwhile."""
    periods = {
        key: parse_period(key, start_month=settings.FISCAL_YEAR_START_MONTH)
        for key in {one.period for one in quotas}
    }
    known = {
        (one.user_id, one.period): one
        for one in Quota.objects.select_for_update(of=("self",))
        .filter(
            user_id__any={one.user_id for one in quotas},
            period__in=periods,
            quota_type=quota_type,
        )
        .order_by("pk")
    }
    for one in quotas:
        quota = known.get((one.user_id, one.period))
        before = None if quota is None else quota.amount
        if before != one.read:
            raise QuotaChangedMeanwhile(user_id=str(one.user_id), period=one.period)
        if quota is None:
            quota = Quota(
                user_id=one.user_id,
                period=one.period,
                starts_on=periods[one.period].starts_on,
                ends_on=periods[one.period].ends_on,
                quota_type=quota_type,
                currency=settings.DEFAULT_CURRENCY,
            )
        quota.amount = one.amount
        yield Target(quota, before)
