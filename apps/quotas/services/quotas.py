"""Quotas: set and changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.errors import InvalidInput, NotFound
from apps.core.journal import publish
from apps.core.loading import insert_rows, update_rows
from apps.core.periods import parse_period
from apps.core.permissions import require
from apps.quotas.errors import OwnQuota, QuotaTaken
from apps.quotas.events import QuotaSet, QuotaUpdated
from apps.quotas.models import Quota
from apps.quotas.permissions import SET_QUOTA
from apps.quotas.services.attaining import tell_attained
from apps.territories.selectors import check_active_territory
from apps.users.models import User


@dataclass(frozen=True)
class Target:
    """A quota as it is becoming, among many; `previous` is the amount of one that is not new.

    One that was set before can be adopted: from here on it is a part of another.
    """

    quota: Quota
    previous: Decimal | None
    is_adopted: bool = False


@command
def set_quota(
    *,
    period: str,
    quota_type: str,
    quota_amount: Decimal,
    actor: Actor,
    user_id: UUID | None = None,
    territory_id: UUID | None = None,
    currency: str | None = None,
) -> Quota:
    """Give a person or a territory a quota for a period.

    Args:
        period: `Q1_2026`, `M03_2026` or `FY_2026`.
        quota_type: one of `QuotaType`.
        quota_amount: in money, or the number of deals or activities.
        actor: needs `quota:set`; whoever does not see everything sets no quota of their own.
        user_id: a person within reach; or else
        territory_id: within reach.
        currency: the organisation's, in which credits are counted.

    Raises:
        NotAllowed, InvalidInput, TerritoryInactive, OwnQuota, QuotaTaken.
    """
    require(actor, SET_QUOTA)
    if (user_id is None) == (territory_id is None):
        raise InvalidInput.field("user_id", "Give either a user_id or a territory_id.")
    check_holders(
        user_ids=[user_id] if user_id else [],
        territory_ids=[territory_id] if territory_id else [],
        actor=actor,
    )
    wanted = parse_period(period, start_month=settings.FISCAL_YEAR_START_MONTH)
    if currency not in (None, settings.DEFAULT_CURRENCY):
        raise InvalidInput.field("currency", f"Quotas are in {settings.DEFAULT_CURRENCY}.")
    holder_id = user_id or territory_id
    take_turn(f"quota {holder_id} {wanted.key} {quota_type}")
    if Quota.objects.filter(holder_id=holder_id, period=wanted.key, quota_type=quota_type).exists():
        raise QuotaTaken
    quota = Quota.objects.create(
        user_id=user_id,
        territory_id=territory_id,
        period=wanted.key,
        starts_on=wanted.starts_on,
        ends_on=wanted.ends_on,
        quota_type=quota_type,
        amount=quota_amount,
        currency=settings.DEFAULT_CURRENCY,
    )
    publish(QuotaSet(**facts_told(quota)), actor=actor)
    _tell_attained([quota], actor)
    return quota


@command
def change_quota(*, quota_id: UUID, quota_amount: Decimal, actor: Actor) -> Quota:
    """Make a quota within reach another amount. Raises NotFound, NotAllowed, OwnQuota."""
    quota = lock_quota(quota_id, actor=actor)
    require(actor, SET_QUOTA)
    _refuse_own([quota.user_id], actor)
    previous = quota.amount
    if previous == quota_amount:
        return quota
    quota.amount = quota_amount
    quota.save(update_fields=["amount", "updated_at"])
    publish(QuotaUpdated(**facts_told(quota), previous_amount=previous), actor=actor)
    _tell_attained([quota], actor)
    return quota


def lock_quota(quota_id: UUID, *, actor: Actor) -> Quota:
    """A quota within reach, locked until the transaction ends. Raises NotFound."""
    quota: Quota | None = (
        Quota.objects.visible_to(actor).select_for_update(of=("self",)).filter(pk=quota_id).first()
    )
    if quota is None:
        raise NotFound
    return quota


def check_holders(
    *, user_ids: Collection[UUID], territory_ids: Collection[UUID], actor: Actor
) -> None:
    """Refuse to give quotas to anybody out of reach, and to oneself.

    Raises InvalidInput, TerritoryInactive, OwnQuota.
    """
    for territory_id in territory_ids:
        check_active_territory(territory_id, actor)
    wanted = set(user_ids)
    is_within = actor.reach.everything or wanted <= set(actor.reach.user_ids)
    if not is_within or User.objects.active().filter(pk__any=wanted).count() < len(wanted):
        raise InvalidInput.field("user_id", "There is no such person.")
    _refuse_own(user_ids, actor)


def _refuse_own(user_ids: Collection[UUID | None], actor: Actor) -> None:
    if actor.id in user_ids and not actor.reach.everything:
        raise OwnQuota


def facts_told(quota: Quota) -> dict[str, Any]:
    """What every event about a quota tells of it."""
    return {
        "quota_id": quota.pk,
        "user_id": quota.user_id,
        "territory_id": quota.territory_id,
        "period": quota.period,
        "quota_type": quota.quota_type,
        "amount": quota.amount,
        "currency": quota.currency,
    }


def keep_quotas(targets: Sequence[Target], *, actor: Actor) -> None:
    """Write many quotas at once, and tell of those that are new or come to another amount.

    In the transaction of a command. The database raises IntegrityError for one that somebody else
    set meanwhile.
    """
    made = [one.quota for one in targets if one.previous is None]
    changed = [
        (one.quota, one.previous)
        for one in targets
        if one.previous is not None and one.previous != one.quota.amount
    ]
    touched = [
        one.quota
        for one in targets
        if one.previous is not None and (one.is_adopted or one.previous != one.quota.amount)
    ]
    for quota in touched:
        quota.updated_at = timezone.now()
    insert_rows(Quota, made)
    update_rows(touched, ("amount", "parent_id", "updated_at"))
    told: list[Any] = [QuotaSet(**facts_told(one)) for one in made]
    told += [QuotaUpdated(**facts_told(one), previous_amount=before) for one, before in changed]
    publish(*told, actor=actor)
    _tell_attained([one.quota for one in targets], actor)


def _tell_attained(quotas: Sequence[Quota], actor: Actor) -> None:
    tell_attained(
        [one.user_id or one.territory_id for one in quotas],
        types={one.quota_type for one in quotas},
        days={one.starts_on for one in quotas},
        actor=actor,
    )
