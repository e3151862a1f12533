"""Activities: what was done and is to be done about leads, deals and accounts."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from apps.accounts.models import Account, Contact
from apps.activities.querysets import ActivityQuerySet
from apps.activities.rules import LONGEST_MINUTES, OutcomeKind
from apps.core.accesses import personal
from apps.core.encryption.columns import EncryptedJSON, EncryptedText
from apps.core.history import audited
from apps.core.models import Binnable, Confidential
from apps.core.querysets import BinManager
from apps.leads.models import Lead
from apps.opportunities.models import Opportunity
from apps.territories.models import Territory
from apps.users.models import User

_SHOWN = Q(deleted_at=None, subject_in_bin=False)
_ASKED_FOR = ("type", "user", "completed_at")
# They follow what the activity is about, or from other columns.
WORKED_OUT = (
    "data_key_id",
    "owner_id",
    "territory_id",
    "subject_in_bin",
    "timeline_at",
    "outcome_kind",
)


@personal("activities")
@audited("activities", leave_out=WORKED_OUT)
class Activity(Confidential, Binnable):
    """An e-mail, call, meeting, demo or task (sales-system-architecture, Activity Schema).

    `user` does it. `owner`, `territory` and `subject_in_bin` repeat those of what it is about: the
    deal's, else the lead's, else the account's, which the database keeps equal. Its words open with
    the key of the person it is about, if there is one. `timeline_at` is where it stands in lists;
    `external_id` is what another system that told of it calls it. `outcome_kind` is what its
    outcome counts as; what is still to be done has none.
    """

    class Type(models.TextChoices):
        EMAIL = "email", "E-mail"
        CALL = "call"
        MEETING = "meeting"
        DEMO = "demo"
        TASK = "task"

    # What somebody begins; the others meet.
    DIRECTED = (Type.EMAIL, Type.CALL)

    class Direction(models.TextChoices):
        INBOUND = "inbound"
        OUTBOUND = "outbound"

    type = models.CharField(max_length=10, choices=Type)
    direction = models.CharField(
        max_length=10, blank=True, choices=Direction, help_text="Of e-mails and calls."
    )
    subject = EncryptedText(max_length=255)
    description = EncryptedText(max_length=10_000, blank=True)
    outcome = EncryptedText(max_length=255, blank=True)
    outcome_kind = models.CharField(max_length=20, blank=True, choices=OutcomeKind, editable=False)
    duration_minutes = models.IntegerField("minutes", null=True, blank=True)
    scheduled_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    participants = ArrayField(
        models.UUIDField(), default=list, blank=True, help_text="People here and contacts."
    )
    metadata = EncryptedJSON(default=dict, blank=True)
    external_system = models.CharField(max_length=50, blank=True, editable=False)
    external_id = models.CharField(max_length=100, blank=True, editable=False)

    user = models.ForeignKey(
        User,
        verbose_name="person",
        on_delete=models.PROTECT,
        related_name="activities",
        db_index=False,
    )
    lead = models.ForeignKey(
        Lead,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="activities",
        db_index=False,
    )
    opportunity = models.ForeignKey(
        Opportunity,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="activities",
        db_index=False,
    )
    account = models.ForeignKey(
        Account,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="activities",
        db_index=False,
    )
    contact = models.ForeignKey(
        Contact,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="activities",
        db_index=False,
    )

    owner = models.ForeignKey(
        User,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        editable=False,
    )
    territory = models.ForeignKey(
        Territory,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        editable=False,
    )
    subject_in_bin = models.BooleanField(default=False, editable=False)
    timeline_at = models.GeneratedField(
        expression=Coalesce("completed_at", "scheduled_at", "created_at"),
        output_field=models.DateTimeField(),
        db_persist=True,
    )

    objects: ClassVar = BinManager.from_queryset(ActivityQuerySet)()

    class Meta:
        verbose_name_plural = "activities"
        indexes = [
            models.Index(
                fields=["-timeline_at", "-id"],
                include=("owner", "territory", *_ASKED_FOR),
                name="activity_newest",
                condition=_SHOWN,
            ),
            models.Index(
                fields=["owner", "-timeline_at", "-id"],
                include=_ASKED_FOR,
                name="activity_owned",
                condition=_SHOWN,
            ),
            models.Index(
                fields=["territory", "-timeline_at", "-id"],
                include=_ASKED_FOR,
                name="activity_placed",
                condition=_SHOWN,
            ),
            models.Index(
                fields=["user", "-timeline_at", "-id"],
                name="activity_by_user",
                condition=_SHOWN,
            ),
            models.Index(
                fields=["lead", "-timeline_at", "-id"],
                name="activity_by_lead",
                condition=~Q(lead=None),
            ),
            models.Index(
                fields=["opportunity", "-timeline_at", "-id"],
                name="activity_by_deal",
                condition=~Q(opportunity=None),
            ),
            models.Index(
                fields=["account", "-timeline_at", "-id"],
                name="activity_by_account",
                condition=~Q(account=None),
            ),
            models.Index(
                fields=["contact"], name="activity_by_contact", condition=~Q(contact=None)
            ),
            models.Index(
                fields=["deleted_at"], name="activity_in_bin", condition=~Q(deleted_at=None)
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                "external_system",
                "external_id",
                name="activity_told_once",
                condition=~Q(external_id=""),
            ),
            models.CheckConstraint(
                condition=Q(lead__isnull=False)
                | Q(opportunity__isnull=False)
                | Q(account__isnull=False),
                name="activity_about_something",
            ),
            models.CheckConstraint(
                condition=Q(opportunity=None, contact=None) | Q(account__isnull=False),
                name="activity_names_account",
            ),
            models.CheckConstraint(
                condition=Q(type__in=("email", "call", "meeting", "demo", "task")),
                name="activity_type_known",
            ),
            models.CheckConstraint(
                condition=Q(outcome_kind__in=("", *OutcomeKind.values)),
                name="activity_outcome_known",
            ),
            models.CheckConstraint(
                condition=Q(outcome_kind="") | Q(completed_at__isnull=False),
                name="activity_outcome_of_done",
            ),
            models.CheckConstraint(
                condition=Q(direction__in=("", "inbound", "outbound")),
                name="activity_direction_known",
            ),
            models.CheckConstraint(
                condition=Q(duration_minutes=None)
                | Q(duration_minutes__gte=0, duration_minutes__lte=LONGEST_MINUTES),
                name="activity_duration",
            ),
            models.CheckConstraint(
                condition=Q(deleted_at=None, deleted_by_id=None)
                | Q(deleted_at__isnull=False, deleted_by_id__isnull=False),
                name="activity_deleted_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.subject or self.get_type_display()

    @property
    def is_completed(self) -> bool:
        """Whether it was done."""
        return self.completed_at is not None
