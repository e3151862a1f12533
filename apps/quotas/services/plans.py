"""Planning a fiscal year: many quotas at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.errors import InvalidInput
from apps.core.permissions import require
from apps.quotas.errors import QuotaChangedMeanwhile
from apps.quotas.models import Quota
from apps.quotas.permissions import SET_QUOTA
from apps.quotas.services.quotas import change_quota, check_holders, set_quota

MOST_CELLS = 1_000


@dataclass(frozen=True)
class PlannedQuota:
    """What somebody is to bring in a period, and what that was when it was read, if anything."""

    user_id: UUID
    period: str
    amount: Decimal
    read: Decimal | None = None


@command
def plan_quotas(*, quota_type: str, quotas: Sequence[PlannedQuota], actor: Actor) -> list[Quota]:
    """Set or change quotas of people, all or none of them. What stays as it is tells nothing.

    Args:
        quota_type: one of `QuotaType`.
        quotas: one for each person and period; refused if it is not any more what was read.
        actor: needs `quota:set`; whoever does not see everything plans no quota of their own.

    Raises:
        NotAllowed, InvalidInput, OwnQuota, QuotaTaken, QuotaChangedMeanwhile (sales-core, Quotas).
    """
    require(actor, SET_QUOTA)
    wanted = {(one.user_id, one.period): one for one in quotas}
    if not quotas or len(quotas) > MOST_CELLS or len(wanted) < len(quotas):
        raise InvalidInput.field("quotas", f"Give 1 to {MOST_CELLS}, each once.")
    check_holders(user_ids={one.user_id for one in quotas}, territory_ids=[], actor=actor)
    known = {
        (one.user_id, one.period): one
        for one in Quota.objects.select_for_update(of=("self",))
        .filter(
            user_id__any={one.user_id for one in quotas},
            period__in={one.period for one in quotas},
            quota_type=quota_type,
        )
        .order_by("pk")
    }
    planned = []
    for key, one in sorted(wanted.items(), key=lambda item: (str(item[0][0]), item[0][1])):
        quota = known.get(key)
        if (None if quota is None else quota.amount) != one.read:
            raise QuotaChangedMeanwhile(user_id=str(one.user_id), period=one.period)
        if quota is None:
            planned.append(
                set_quota(
                    user_id=one.user_id,
                    period=one.period,
                    quota_type=quota_type,
                    quota_amount=one.amount,
                    actor=actor,
                )
            )
        else:
            planned.append(change_quota(quota_id=quota.pk, quota_amount=one.amount, actor=actor))
    return planned
