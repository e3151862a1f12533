"""Territories: named slices of the market, in a tree, with rules, members and history."""

from __future__ import annotations

from typing import ClassVar, Self

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q
from guardian.models import UserObjectPermissionBase

from apps.core.actors import Actor
from apps.core.history import audited
from apps.core.models import Record
from apps.core.money import MoneyField
from apps.core.periods import organisation_today
from apps.users.models import User


class TerritoryQuerySet(models.QuerySet):
    """Reads of territories."""

    def visible_to(self, actor: Actor) -> Self:
        """The territories within the actor's reach."""
        if actor.reach.everything:
            return self
        return self.filter(pk__any=actor.reach.territory_ids)

    def active(self) -> Self:
        """Those that take part in routing."""
        return self.filter(is_active=True)


@audited("territories")
class Territory(Record):
    """A slice of the market. All rules that are given must hold; empty ones don't narrow.

    A child also has to meet its ancestors' rules. Columns are those of the source
    (sales-system-architecture, Territory Schema).
    """

    class Type(models.TextChoices):
        GEOGRAPHIC = "geographic"
        ACCOUNT = "account"
        INDUSTRY = "industry"

    class Assignment(models.TextChoices):
        OWNER = "owner"
        ROUND_ROBIN = "round_robin"
        LEAST_LOADED = "least_loaded"

    name = models.CharField(max_length=255)
    type = models.CharField(max_length=50, choices=Type)
    owner = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="owned_territories"
    )
    parent_territory = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    priority = models.IntegerField(default=0, help_text="Higher wins among equally specific ones.")
    assignment = models.CharField(max_length=20, choices=Assignment, default=Assignment.OWNER)
    is_active = models.BooleanField(default=True)

    countries = ArrayField(models.CharField(max_length=2), default=list, blank=True)
    states = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    zip_codes = ArrayField(
        models.CharField(max_length=30),
        default=list,
        blank=True,
        help_text="Exact 94105, prefix 941* or range 94100-94199.",
    )
    industry = models.CharField(max_length=100, blank=True)
    min_employee_count = models.IntegerField(null=True, blank=True)
    max_employee_count = models.IntegerField(null=True, blank=True)
    min_annual_revenue = MoneyField(null=True, blank=True)
    max_annual_revenue = MoneyField(null=True, blank=True)
    named_accounts = ArrayField(
        models.CharField(max_length=255),
        default=list,
        blank=True,
        help_text="Names or domains of companies.",
    )
    objects: ClassVar = TerritoryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "territories"
        indexes = [
            models.Index(fields=["owner"], name="territory_by_owner"),
            models.Index(fields=["type"], name="territory_by_type"),
        ]
        constraints = [
            models.UniqueConstraint(
                "parent_territory", "name", name="territory_name_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=~Q(parent_territory=F("id")), name="territory_is_not_own_parent"
            ),
            models.CheckConstraint(
                condition=Q(min_employee_count=None)
                | Q(max_employee_count=None)
                | Q(min_employee_count__lte=F("max_employee_count")),
                name="territory_employee_bounds",
            ),
            models.CheckConstraint(
                condition=Q(min_annual_revenue=None)
                | Q(max_annual_revenue=None)
                | Q(min_annual_revenue__lte=F("max_annual_revenue")),
                name="territory_revenue_bounds",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Turn(models.Model):
    """How much work a territory that shares it out has given away. Its row is locked meanwhile."""

    territory = models.OneToOneField(
        Territory, primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    taken = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.taken} in {self.territory_id}"


@audited("territory_members")
class TerritoryMember(Record):
    """A person who works a territory, from one day to another; capacity counts open leads."""

    class Role(models.TextChoices):
        REP = "rep"
        MANAGER = "manager"
        SUPPORT = "support"

    territory = models.ForeignKey(Territory, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role, default=Role.REP)
    valid_from = models.DateField(default=organisation_today)
    valid_until = models.DateField(null=True, blank=True, help_text="The last day.")
    capacity = models.IntegerField(null=True, blank=True, help_text="Open leads at most.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "territory", "user", "valid_from", name="territory_member_once"
            ),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_until__gte=F("valid_from")),
                name="territory_member_dates",
            ),
        ]
        indexes = [models.Index(fields=["user"], name="territory_member_by_user")]

    def __str__(self) -> str:
        return f"{self.user} in {self.territory}"


@audited("absences")
class Absence(Record):
    """Days on which a person takes no new work."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="absences")
    starts_on = models.DateField()
    ends_on = models.DateField(help_text="The last day.")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(ends_on__gte=F("starts_on")), name="absence_dates")
        ]
        indexes = [models.Index(fields=["user", "ends_on"], name="absence_by_user")]

    def __str__(self) -> str:
        return f"{self.user} {self.starts_on} – {self.ends_on}"


class TerritoryGrant(UserObjectPermissionBase):
    """An exception: lets a person see one territory they are no member of, until a moment.

    django-guardian's grants, bound by a foreign key: a few hundred rows, never one per lead.
    """

    content_object = models.ForeignKey(
        Territory, on_delete=models.CASCADE, related_name="user_grants"
    )
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta(UserObjectPermissionBase.Meta):
        abstract = False

    def __str__(self) -> str:
        return f"{self.user} may see {self.content_object}"


class AssignmentPeriod(Record):
    """Who a record belonged to, and since when: made concrete by each app that assigns.

    A concrete model adds `record`, a foreign key, and the constraint of `one_at_a_time`.
    """

    class Cause(models.TextChoices):
        RULE = "rule"
        MANUAL = "manual"
        IMPORT = "import"
        CONVERSION = "conversion"
        MERGE = "merge"

    territory = models.ForeignKey(Territory, null=True, on_delete=models.PROTECT, related_name="+")
    owner = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    valid = DateTimeRangeField()
    cause = models.CharField(max_length=20, choices=Cause)
    reason = models.CharField(max_length=255, blank=True)
    actor_id = models.UUIDField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.owner_id} in {self.territory_id} during {self.valid}"

    @staticmethod
    def one_at_a_time(name: str) -> ExclusionConstraint:
        """The constraint that a record belongs to one owner and territory at any moment."""
        return ExclusionConstraint(
            name=name,
            expressions=[("record", RangeOperators.EQUAL), ("valid", RangeOperators.OVERLAPS)],
        )
