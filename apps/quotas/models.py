"""Quotas, the ledger of what won deals are credited to whom, and the count of activities."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.history import audited
from apps.core.identifiers import new_id
from apps.core.models import Record
from apps.core.money import CurrencyField, MoneyField
from apps.opportunities.models import Opportunity
from apps.quotas.errors import ONCE
from apps.quotas.rules import CreditKind, QuotaType
from apps.territories.models import Territory
from apps.users.models import User

_ONE_HOLDER = Q(user=None, territory__isnull=False) | Q(user__isnull=False, territory=None)


def _holder_id() -> models.GeneratedField:
    return models.GeneratedField(
        expression=Coalesce(F("user_id"), F("territory_id")),
        output_field=models.UUIDField(),
        db_persist=True,
    )


class QuotaQuerySet(models.QuerySet):
    """Reads of quotas."""

    def visible_to(self, actor: Actor) -> Self:
        """The quotas of people and territories within the actor's reach."""
        reach = actor.reach
        if reach.everything:
            return self
        return self.filter(
            Q(user_id__any=reach.user_ids) | Q(territory_id__any=reach.territory_ids)
        )


@audited("quotas", leave_out=("holder_id", "attained_at"))
class Quota(Record):
    """What a person or territory is to bring in a period (sales-system-architecture, Quota Schema).

    What is attained is not kept here: it is the sum of the ledger. `attained_at` notes when that
    was told; `starts_on` and `ends_on` keep what the period meant. Of deals, `amount` is a number.
    `parent` is the quota from which it was shared out.
    """

    user = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    territory = models.ForeignKey(
        Territory, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    holder_id = _holder_id()
    period = models.CharField(max_length=10)
    starts_on = models.DateField()
    ends_on = models.DateField()
    quota_type = models.CharField(max_length=20, choices=QuotaType)
    amount = MoneyField()
    currency = CurrencyField()
    attained_at = models.DateTimeField(null=True, editable=False)
    parent = models.ForeignKey(
        "self", null=True, editable=False, on_delete=models.PROTECT, related_name="children"
    )

    objects: ClassVar = QuotaQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["user", "-starts_on", "-id"], name="quota_by_user"),
            models.Index(fields=["territory", "-starts_on", "-id"], name="quota_by_territory"),
            models.Index(fields=["-starts_on", "-id"], name="quota_newest"),
        ]
        constraints = [
            models.UniqueConstraint("holder_id", "period", "quota_type", name=ONCE),
            models.CheckConstraint(condition=_ONE_HOLDER, name="quota_of_one_holder"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="quota_not_negative"),
            models.CheckConstraint(
                condition=Q(ends_on__gte=F("starts_on")), name="quota_period_direction"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_quota_type_display()} quota for {self.period}"


class CreditedDeal(models.Model):
    """Up to which version of a deal its credit was heard. What bears a lower one is old news."""

    opportunity = models.OneToOneField(
        Opportunity, primary_key=True, on_delete=models.PROTECT, related_name="+"
    )
    version = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.opportunity_id} #{self.version}"


class QuotaCredit(models.Model):
    """What somebody was credited of a deal, or that a credit was taken back. Never altered.

    `converted` is in the organisation's currency by `rate`, which stays whatever rates become. A
    reversal holds the negative of what it reverses. `version` is the deal's.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    opportunity = models.ForeignKey(
        Opportunity, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    version = models.IntegerField()
    user = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    territory = models.ForeignKey(
        Territory, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    holder_id = _holder_id()
    kind = models.CharField(max_length=10, choices=CreditKind)
    closed_on = models.DateField()
    amount = MoneyField(signed=True)
    currency = CurrencyField()
    rate = models.DecimalField(max_digits=20, decimal_places=10)
    converted = MoneyField(signed=True, max_digits=20)
    deals = models.DecimalField(max_digits=7, decimal_places=4)
    credited_at = models.DateTimeField(default=timezone.now)
    reverses = models.OneToOneField(
        "self", null=True, on_delete=models.PROTECT, related_name="reversed_by"
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["holder_id", "closed_on"],
                include=["converted", "deals", "kind"],
                name="credit_of_holder",
            ),
            models.Index(fields=["opportunity", "id"], name="credit_of_deal"),
            models.Index(
                fields=["kind", "closed_on"],
                include=["holder_id", "converted", "deals"],
                name="credit_of_day",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                "opportunity",
                "version",
                "holder_id",
                "kind",
                name="credit_once",
                condition=Q(reverses=None),
            ),
            models.CheckConstraint(condition=_ONE_HOLDER, name="credit_of_one_holder"),
            models.CheckConstraint(condition=Q(rate__gt=0), name="credit_rate_is_positive"),
            models.CheckConstraint(
                condition=Q(reverses=None, converted__gte=0, amount__gte=0)
                | Q(reverses__isnull=False, converted__lte=0, amount__lte=0),
                name="credit_sign",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.converted} of {self.opportunity_id}"


class ActivityCount(models.Model):
    """How many activities a person completed on a day, or were completed in a territory.

    Days are the organisation's. Written from what `ActivityNews` brings, and by nothing else.
    """

    id = models.BigAutoField(primary_key=True)
    holder_id = models.UUIDField()
    day = models.DateField()
    count = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["holder_id", "day"], include=["count"], name="activity_count_of_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.count} on {self.day}"


class ActivityNews(models.Model):
    """An activity that counts for somebody from now on, or not any more, until it is counted.

    Triggers on activities write it in the transaction of whatever changed them.
    """

    id = models.BigAutoField(primary_key=True)
    holder_id = models.UUIDField()
    completed_at = models.DateTimeField()
    count = models.IntegerField()

    class Meta:
        verbose_name_plural = "activity news"

    def __str__(self) -> str:
        return f"{self.count:+} at {self.completed_at}"
