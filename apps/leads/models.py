"""Leads: unproven interest of a person, their history, and imports of whole files."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from apps.core.accesses import personal
from apps.core.contact_points import email_domain
from apps.core.encryption.columns import EncryptedJSON, EncryptedText
from apps.core.history import audited
from apps.core.imports.models import ImportedFile, ImportedRow
from apps.core.models import Binnable, Confidential, DataKey, Job, Record
from apps.core.money import CurrencyField, MoneyField
from apps.core.querysets import BinManager
from apps.leads.querysets import OPEN_STATUSES, LeadQuerySet
from apps.territories.models import AssignmentPeriod, Territory
from apps.users.models import User

PERCENT = [MinValueValidator(0), MaxValueValidator(100)]
LIVE = Q(deleted_at=None, merged_into=None)
# What lists are filtered and ordered by most: answered from the index, without the rows.
_ASKED_FOR = ("score", "status", "merged_into")


@personal("leads")
@audited("leads", leave_out=("data_key_id", "email_key", "phone_key", "company_key", "version"))
class Lead(Confidential, Binnable):
    """Somebody who showed interest (sales-system-architecture, Lead Schema).

    Duplicates are found by the columns `…_key`: the folded name of a company, and blind indexes of
    the normalised e-mail address and phone number, which are encrypted. `score` is the platform's
    own; what marketing sent stays in `marketing_score`, `marketing_as_of` says as of when.
    """

    class Status(models.TextChoices):
        NEW = "new"
        CONTACTED = "contacted"
        QUALIFIED = "qualified"
        UNQUALIFIED = "unqualified"
        CONVERTED = "converted"

    class ScoreSource(models.TextChoices):
        RULES = "rules"
        MODEL = "model"

    source = models.CharField(max_length=100)
    status = models.CharField(max_length=50, choices=Status, default=Status.NEW)
    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    email = EncryptedText(max_length=255)
    email_key = models.CharField(max_length=20, editable=False)
    phone = EncryptedText(max_length=50, blank=True)
    phone_key = models.CharField(max_length=20, blank=True, editable=False)
    company = models.CharField(max_length=255, blank=True)
    company_key = models.CharField(max_length=255, blank=True, editable=False)
    title = models.CharField(max_length=100, blank=True)
    industry = models.CharField(max_length=100, blank=True)
    employee_count = models.IntegerField(null=True, blank=True)
    annual_revenue = MoneyField(null=True, blank=True)
    currency = CurrencyField(blank=True)
    country = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=100, blank=True)
    city = models.CharField(max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)

    external_source = models.CharField(max_length=100, blank=True)
    external_id = models.CharField(max_length=255, blank=True)
    campaign_id = models.CharField(max_length=100, blank=True)
    attribution = models.JSONField(default=dict, blank=True)
    metadata = EncryptedJSON(default=dict, blank=True)

    score = models.IntegerField(default=0, validators=PERCENT)
    score_reasons = models.JSONField(default=list, blank=True)
    score_source = models.CharField(
        max_length=10,
        choices=ScoreSource,
        default=ScoreSource.RULES,
        db_default=ScoreSource.RULES,
        editable=False,
    )
    score_version = models.CharField(max_length=50, blank=True)
    scored_at = models.DateTimeField(null=True, blank=True)
    marketing_score = models.IntegerField(null=True, blank=True, validators=PERCENT)
    marketing_as_of = models.DateTimeField(null=True, blank=True, editable=False)

    # Three references have indexes of their own below; Django's would only cost writes.
    owner = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="leads",
        db_index=False,
    )
    territory = models.ForeignKey(
        Territory,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="leads",
        db_index=False,
    )
    routing_reason = models.CharField(max_length=255, blank=True)
    status_reason = models.CharField(max_length=255, blank=True)
    merged_into = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="merged_leads",
        db_index=False,
    )
    converted_opportunity_id = models.UUIDField(null=True, blank=True)
    converted_account_id = models.UUIDField(null=True, blank=True)
    converted_contact_id = models.UUIDField(null=True, blank=True)
    converted_at = models.DateTimeField(null=True, blank=True)
    last_activity_at = models.DateTimeField(null=True, blank=True)
    version = models.IntegerField(default=1)

    search_vector = models.GeneratedField(
        expression=SearchVector(
            "first_name", "last_name", "company", "title", "city", config="simple"
        ),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    objects: ClassVar = BinManager.from_queryset(LeadQuerySet)()

    class Meta:
        indexes = [
            models.Index(
                fields=["-created_at", "-id"], name="lead_newest", condition=Q(deleted_at=None)
            ),
            models.Index(
                fields=["owner", "-created_at", "-id"],
                include=_ASKED_FOR,
                name="lead_owned",
                condition=Q(deleted_at=None),
            ),
            models.Index(
                fields=["territory", "-created_at", "-id"],
                include=_ASKED_FOR,
                name="lead_placed",
                condition=Q(deleted_at=None),
            ),
            models.Index(
                fields=["-created_at", "-id"],
                name="lead_unrouted",
                condition=Q(deleted_at=None, owner=None, territory=None),
            ),
            models.Index(
                fields=["status", "-created_at", "-id"],
                name="lead_by_status",
                condition=Q(deleted_at=None),
            ),
            models.Index(
                fields=["-score", "-id"], name="lead_by_score", condition=Q(deleted_at=None)
            ),
            models.Index(
                fields=["owner"],
                name="lead_open_by_owner",
                condition=LIVE & Q(status__in=OPEN_STATUSES),
            ),
            models.Index(fields=["email_key"], name="lead_by_email"),
            models.Index(fields=["phone_key"], name="lead_by_phone", condition=~Q(phone_key="")),
            models.Index(
                fields=["company_key", "last_name"],
                name="lead_by_company",
                condition=~Q(company_key=""),
            ),
            models.Index(
                fields=["merged_into"], name="lead_merged", condition=~Q(merged_into=None)
            ),
            models.Index(
                fields=["campaign_id"], name="lead_by_campaign", condition=LIVE & ~Q(campaign_id="")
            ),
            models.Index(fields=["deleted_at"], name="lead_in_bin", condition=~Q(deleted_at=None)),
            GinIndex("search_vector", name="lead_search"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["email_key"],
                name="lead_open_email_once",
                condition=LIVE & Q(status__in=OPEN_STATUSES) & ~Q(email_key=""),
            ),
            models.UniqueConstraint(
                fields=["external_source", "external_id"],
                name="lead_external_id_once",
                condition=LIVE & ~Q(external_id=""),
            ),
            models.CheckConstraint(
                condition=Q(score__gte=0, score__lte=100), name="lead_score_range"
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=("new", "contacted", "qualified", "unqualified", "converted")
                ),
                name="lead_status_known",
            ),
            models.CheckConstraint(
                condition=(
                    Q(status="converted", converted_opportunity_id__isnull=False)
                    | (~Q(status="converted") & Q(converted_opportunity_id=None))
                ),
                name="lead_converted_has_opportunity",
            ),
            models.CheckConstraint(
                condition=Q(merged_into=None) | ~Q(merged_into=models.F("id")),
                name="lead_not_merged_into_itself",
            ),
            models.CheckConstraint(
                condition=Q(employee_count=None) | Q(employee_count__gte=0),
                name="lead_employee_count",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def domain(self) -> str:
        """The part of the e-mail address that may name a company."""
        return email_domain(self.email)

    @property
    def is_open(self) -> bool:
        """Whether it may still become an opportunity."""
        return self.status in OPEN_STATUSES and self.merged_into_id is None


@audited("campaigns")
class Campaign(Record):
    """A campaign of marketing's, as it was told last; leads carry its `external_id`."""

    class Status(models.TextChoices):
        PLANNED = "planned"
        ACTIVE = "active"
        ENDED = "ended"

    partner = models.CharField(max_length=50, help_text="The key of whoever keeps it.")
    external_id = models.CharField(max_length=100)
    as_of = models.DateTimeField(help_text="When it was true, by their clock.")
    name = models.CharField(max_length=255)
    channel = models.CharField(max_length=100, blank=True)
    status = models.CharField(max_length=10, choices=Status)
    starts_on = models.DateField(null=True)
    ends_on = models.DateField(null=True)

    class Meta:
        indexes = [models.Index(fields=["external_id", "-as_of"], name="campaign_by_id")]
        constraints = [
            models.UniqueConstraint("partner", "external_id", name="campaign_once"),
            models.CheckConstraint(
                condition=Q(status__in=("planned", "active", "ended")),
                name="campaign_status_known",
            ),
            models.CheckConstraint(
                condition=Q(starts_on=None)
                | Q(ends_on=None)
                | Q(ends_on__gte=models.F("starts_on")),
                name="campaign_direction",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class LeadAssignment(AssignmentPeriod):
    """Who a lead belonged to, and when."""

    record = models.ForeignKey(
        Lead, on_delete=models.CASCADE, related_name="assignments", db_index=False
    )

    class Meta:
        constraints = [AssignmentPeriod.one_at_a_time("lead_assignment_one_at_a_time")]


class LeadMerge(Record):
    """Duplicates folded into a survivor, with what is needed to undo it."""

    survivor = models.ForeignKey(Lead, on_delete=models.PROTECT, related_name="merges")
    merged_ids = models.JSONField()
    values_before = EncryptedJSON()
    version_after = models.IntegerField()
    actor_id = models.UUIDField()
    undone_at = models.DateTimeField(null=True, blank=True)

    @property
    def data_key(self) -> DataKey:
        """The survivor's: what was known of its person before."""
        return self.survivor.data_key

    def __str__(self) -> str:
        return f"{len(self.merged_ids)} into {self.survivor_id}"


class LeadImport(ImportedFile):
    """A file of leads."""

    class MatchOn(models.TextChoices):
        EMAIL = "email"
        EXTERNAL_ID = "external_id"

    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="lead_import")
    undo_job = models.OneToOneField(
        Job, null=True, blank=True, on_delete=models.PROTECT, related_name="undone_lead_import"
    )
    match_on = models.CharField(max_length=20, choices=MatchOn)


class LeadImportRow(ImportedRow):
    """What became of one line of a file of leads."""

    file_field = "lead_import"
    record_field = "lead_id"

    lead_import = models.ForeignKey(LeadImport, on_delete=models.CASCADE, related_name="rows")
    lead_id = models.UUIDField(null=True)

    class Meta:
        indexes = ImportedRow.indexes("lead_import")
