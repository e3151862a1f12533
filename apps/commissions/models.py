"""Commissions: plans, who earns by them, and the ledger of what people are due."""

from __future__ import annotations

from typing import ClassVar, Self

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.utils import timezone

from apps.commissions.rules import Rates, tiers_read
from apps.core.actors import Actor
from apps.core.history import audited
from apps.core.identifiers import new_id
from apps.core.models import Record
from apps.core.money import CurrencyField, MoneyField
from apps.core.periods import PeriodKind
from apps.quotas.rules import CreditKind
from apps.users.models import User


@audited("commission_plans")
class CommissionPlan(Record):
    """What is paid for what is sold. It never changes: people are put on another one.

    `tiers` are percentages of what lies above percentages of the quota; `overlay_rate` is paid for
    help with the deals of others. It pays by month, quarter or year, and for nothing else.
    """

    name = models.CharField(max_length=100)
    pays_by = models.CharField(
        max_length=10, choices=[(one.value, one.value.capitalize()) for one in PeriodKind]
    )
    tiers = models.JSONField()
    overlay_rate = models.DecimalField(max_digits=7, decimal_places=4, default=0)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("name", name="commission_plan_name_once"),
            models.CheckConstraint(
                condition=Q(overlay_rate__gte=0, overlay_rate__lte=100),
                name="commission_overlay_percent",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def rates(self) -> Rates:
        """What it pays."""
        return Rates(tiers_read(self.tiers), self.overlay_rate)


class PersonQuerySet(models.QuerySet):
    """Reads of what belongs to a person."""

    def visible_to(self, actor: Actor) -> Self:
        """What belongs to people within the actor's reach."""
        if actor.reach.everything:
            return self
        return self.filter(user_id__any=actor.reach.user_ids)


@audited("commission_members")
class CommissionMember(Record):
    """That a person earns by a plan, from one day to another; by one at a time."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    plan = models.ForeignKey(CommissionPlan, on_delete=models.PROTECT, related_name="members")
    starts_on = models.DateField()
    ends_on = models.DateField(null=True)

    objects: ClassVar = PersonQuerySet.as_manager()

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="commission_one_plan_at_a_time",
                expressions=[
                    (F("user"), RangeOperators.EQUAL),
                    (
                        Func(
                            F("starts_on"),
                            F("ends_on"),
                            models.Value("[]"),
                            function="DATERANGE",
                            output_field=DateRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(ends_on__gte=F("starts_on")),
                name="commission_member_direction",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} from {self.starts_on}"


class CommissionEntry(models.Model):
    """What a person came to be due for a period, or is due no more. Never altered.

    The entries of a person, period, plan, kind and rate come to what is due. `base` is the part of
    the credits that is paid at the rate, `amount` what that makes; both are differences to what
    stood before, below zero where deals were taken back.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    plan = models.ForeignKey(CommissionPlan, on_delete=models.PROTECT, related_name="+")
    period = models.CharField(max_length=10)
    starts_on = models.DateField()
    kind = models.CharField(max_length=10, choices=CreditKind)
    rate = models.DecimalField(max_digits=7, decimal_places=4)
    base = MoneyField(signed=True, max_digits=20)
    amount = MoneyField(signed=True, max_digits=20)
    currency = CurrencyField()
    calculated_at = models.DateTimeField(default=timezone.now)
    calculated_by_id = models.UUIDField()

    objects: ClassVar = PersonQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "commission entries"
        indexes = [
            models.Index(fields=["user", "period"], name="commission_of_person"),
            models.Index(fields=["period", "user"], name="commission_of_period"),
            models.Index(fields=["-calculated_at", "-id"], name="commission_newest"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(amount=0) | ~Q(base=0), name="commission_entry_says_something"
            )
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} for {self.period}"
