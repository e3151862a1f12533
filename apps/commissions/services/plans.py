"""Commission plans, and who earns by them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import Q

from apps.commissions.errors import OnPlanLater, PlanIsRetired, PlanNameTaken
from apps.commissions.events import CommissionPlanAssigned
from apps.commissions.models import CommissionMember, CommissionPlan
from apps.commissions.permissions import PLAN_COMMISSION
from apps.commissions.rules import Tier, check_tiers, tiers_kept
from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.errors import InvalidInput, NotFound
from apps.core.journal import publish
from apps.core.permissions import require
from apps.users.models import User


@command
def add_commission_plan(
    *,
    name: str,
    pays_by: str,
    tiers: Sequence[Tier],
    actor: Actor,
    overlay_rate: Decimal = Decimal(0),
) -> CommissionPlan:
    """Set up a plan: rates by percent of the quota, and one for help with the deals of others.

    Args:
        name: no other plan's.
        pays_by: `month`, `quarter` or `year`: of the periods it is paid for.
        tiers: rates in percent; the first is above 0 percent of the quota.
        actor: needs `commission:plan`.
        overlay_rate: in percent.

    Raises:
        NotAllowed, InvalidInput, PlanNameTaken.
    """
    require(actor, PLAN_COMMISSION)
    take_turn("commission plans")
    if CommissionPlan.objects.filter(name=name).exists():
        raise PlanNameTaken
    return CommissionPlan.objects.create(
        name=name,
        pays_by=pays_by,
        tiers=tiers_kept(check_tiers(tiers)),
        overlay_rate=overlay_rate,
    )


@command
def retire_commission_plan(*, plan_id: UUID, actor: Actor) -> CommissionPlan:
    """Let nobody new on a plan; those who are stay. Raises NotFound, NotAllowed."""
    plan = _lock_plan(plan_id)
    require(actor, PLAN_COMMISSION)
    plan.is_active = False
    plan.save(update_fields=["is_active", "updated_at"])
    return plan


@command
def put_on_plan(*, plan_id: UUID, user_id: UUID, starts_on: date, actor: Actor) -> CommissionMember:
    """Let somebody earn by a plan from a day on; the plan before ends the day before.

    Args:
        plan_id: of a plan in use.
        user_id: of somebody who works here.
        starts_on: the first day.
        actor: needs `commission:plan`.

    Raises:
        NotFound, NotAllowed, InvalidInput, PlanIsRetired, OnPlanLater.
    """
    plan = _lock_plan(plan_id)
    require(actor, PLAN_COMMISSION)
    if not plan.is_active:
        raise PlanIsRetired
    # One at a time for a person: two plans for the same days would meet at the constraint.
    if not User.objects.active().filter(pk=user_id).select_for_update(no_key=True).exists():
        raise InvalidInput.field("user_id", "There is no such person.")
    theirs = CommissionMember.objects.filter(user_id=user_id)
    if theirs.filter(starts_on__gte=starts_on).exists():
        raise OnPlanLater
    for before in theirs.filter(Q(ends_on=None) | Q(ends_on__gte=starts_on)):
        before.ends_on = starts_on - timedelta(days=1)
        before.save(update_fields=["ends_on", "updated_at"])
    member = CommissionMember.objects.create(user_id=user_id, plan=plan, starts_on=starts_on)
    publish(
        CommissionPlanAssigned(user_id=user_id, plan_id=plan.pk, starts_on=starts_on), actor=actor
    )
    return member


def _lock_plan(plan_id: UUID) -> CommissionPlan:
    plan: CommissionPlan | None = (
        CommissionPlan.objects.select_for_update().filter(pk=plan_id).first()
    )
    if plan is None:
        raise NotFound
    return plan
