"""Opportunities: pipelines and their stages, deals, their lines, and what became of them when."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q

from apps.accounts.models import Account
from apps.catalog.models import Product
from apps.catalog.permissions import READ_PRODUCT_COST
from apps.core.history import audited
from apps.core.identifiers import new_id
from apps.core.imports.models import ImportedFile, ImportedRow
from apps.core.models import Binnable, Job, Record
from apps.core.money import ZERO, CurrencyField, MoneyField
from apps.core.querysets import BinManager
from apps.leads.models import Lead
from apps.opportunities.querysets import OpportunityQuerySet
from apps.opportunities.rules import OPEN_CATEGORIES, Category, Kind, Origin, SplitKind
from apps.territories.models import AssignmentPeriod, Territory
from apps.users.models import User

_PUNCTUATION = "._-/@:+"
_PERCENT = {"probability__gte": 0, "probability__lte": 100}
_LIVE = Q(deleted_at=None)
# What lists are filtered and ordered by most: answered from the index, without the rows.
_ASKED_FOR = ("stage_key", "amount")


@audited("pipelines")
class Pipeline(Record):
    """A way of selling: its stages in their order. `key` is the name on the wire."""

    key = models.CharField(max_length=50)
    name = models.CharField(max_length=100)
    is_default = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("key", name="pipeline_key_once"),
            models.UniqueConstraint(
                "is_default", name="pipeline_one_default", condition=Q(is_default=True)
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(is_active=True), name="pipeline_default_active"
            ),
        ]

    def __str__(self) -> str:
        return self.name


@audited("stages")
class Stage(Record):
    """Where a deal can stand in a pipeline.

    `forward` holds the keys of the stages a deal may go on to, `required_fields` the facts it
    must have to enter this one, `expected_days` how long deals usually stay.
    """

    pipeline = models.ForeignKey(Pipeline, on_delete=models.PROTECT, related_name="stages")
    key = models.CharField(max_length=50)
    name = models.CharField(max_length=100)
    position = models.SmallIntegerField()
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.OPEN)
    probability = models.SmallIntegerField()
    forecast_category = models.CharField(max_length=20, choices=Category)
    expected_days = models.SmallIntegerField(null=True, blank=True)
    required_fields = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    forward = ArrayField(models.CharField(max_length=50), default=list, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("pipeline", "key", name="stage_key_once"),
            models.UniqueConstraint("pipeline", "position", name="stage_position_once"),
            models.CheckConstraint(condition=Q(**_PERCENT), name="stage_probability_percent"),
            models.CheckConstraint(
                condition=Q(kind="open", forecast_category__in=OPEN_CATEGORIES)
                | Q(kind="won", probability=100, forecast_category="closed")
                | Q(kind="lost", probability=0, forecast_category="omitted"),
                name="stage_kind_agrees",
            ),
            models.CheckConstraint(
                condition=Q(expected_days=None) | Q(expected_days__gt=0),
                name="stage_expected_days",
            ),
        ]

    def __str__(self) -> str:
        return self.name


@audited("opportunities", leave_out=("version",))
class Opportunity(Binnable):
    """A deal being worked (sales-system-architecture, Opportunity Schema).

    `amount` is the stated total contract value, 0 until somebody states it; `lines_total` is what
    the lines come to, and a difference between the two is shown, never corrected. `stage_key` and
    `kind` repeat the stage's for the hot queries; a foreign key holds the three together.
    `version` counts changes. `external_id` is what it is called in the system it
    was imported from, `external_source`.
    """

    class ScoreSource(models.TextChoices):
        RULES = "rules"
        MODEL = "model"

    class BillingFrequency(models.TextChoices):
        MONTHLY = "monthly"
        QUARTERLY = "quarterly"
        SEMIANNUALLY = "semiannually"
        ANNUALLY = "annually"
        ONCE = "once"

    class Priority(models.TextChoices):
        LOW = "low"
        MEDIUM = "medium"
        HIGH = "high"
        URGENT = "urgent"

    name = models.CharField(max_length=255)
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="opportunities", db_index=False
    )
    lead = models.ForeignKey(
        Lead,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="opportunities",
        db_index=False,
    )
    owner = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="opportunities", db_index=False
    )
    territory = models.ForeignKey(
        Territory,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="opportunities",
        db_index=False,
    )

    pipeline = models.ForeignKey(
        Pipeline, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    # The migration's foreign key covers stage, pipeline, key and kind at once.
    stage = models.ForeignKey(
        Stage, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    stage_key = models.CharField(max_length=50, editable=False)
    kind = models.CharField(max_length=10, choices=Kind, editable=False)
    stage_entered_at = models.DateTimeField(editable=False)
    last_open_stage = models.ForeignKey(
        Stage, on_delete=models.PROTECT, related_name="+", editable=False, db_index=False
    )
    probability = models.SmallIntegerField()
    probability_source = models.CharField(max_length=10, choices=Origin, default=Origin.STAGE)
    forecast_category = models.CharField(max_length=20, choices=Category)
    forecast_category_source = models.CharField(max_length=10, choices=Origin, default=Origin.STAGE)

    amount = MoneyField(default=ZERO)
    currency = CurrencyField()
    lines_total = MoneyField(null=True, editable=False)
    expected_close_date = models.DateField(null=True, blank=True)
    actual_close_date = models.DateField(null=True, editable=False)
    won_at = models.DateTimeField(null=True, editable=False)
    lost_at = models.DateTimeField(null=True, editable=False)
    push_count = models.SmallIntegerField(default=0, editable=False)
    loss_reason = models.CharField(max_length=255, blank=True)
    close_reason = models.CharField(max_length=255, blank=True)
    next_step = models.TextField(blank=True)

    deal_score = models.SmallIntegerField()
    deal_score_reasons = models.JSONField(default=list)
    deal_score_source = models.CharField(
        max_length=10, choices=ScoreSource, default=ScoreSource.RULES
    )
    deal_score_version = models.CharField(max_length=50)

    contract_term = models.SmallIntegerField(null=True, blank=True, help_text="In months.")
    start_date = models.DateField(null=True, blank=True)
    payment_terms = models.CharField(max_length=50, blank=True)
    billing_frequency = models.CharField(max_length=20, choices=BillingFrequency, blank=True)
    payment_schedule = models.JSONField(default=list, blank=True, encoder=DjangoJSONEncoder)
    special_requirements = models.TextField(blank=True)
    priority = models.CharField(max_length=10, choices=Priority, blank=True)

    external_source = models.CharField(
        max_length=100, blank=True, default="", db_default="", editable=False
    )
    external_id = models.CharField(
        max_length=255, blank=True, default="", db_default="", editable=False
    )

    metadata = models.JSONField(default=dict, blank=True)
    version = models.IntegerField(default=1, editable=False)
    archived_at = models.DateTimeField(null=True, editable=False)

    search_vector = models.GeneratedField(
        expression=SearchVector(
            # PostgreSQL keeps "booking.com" as one word, of which "com" is no beginning.
            models.Func(
                F("name"),
                models.Value(_PUNCTUATION),
                models.Value(" " * len(_PUNCTUATION)),
                function="translate",
                output_field=models.TextField(),
            ),
            config="simple",
        ),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    objects: ClassVar = BinManager.from_queryset(OpportunityQuerySet)()

    class Meta:
        verbose_name_plural = "opportunities"
        indexes = [
            models.Index(
                fields=["-created_at", "-id"],
                include=("owner", "territory", *_ASKED_FOR),
                name="deal_recent",
                condition=_LIVE,
            ),
            models.Index(
                fields=["owner", "-created_at", "-id"],
                include=_ASKED_FOR,
                name="deal_owned",
                condition=_LIVE,
            ),
            models.Index(
                fields=["territory", "-created_at", "-id"],
                include=_ASKED_FOR,
                name="deal_placed",
                condition=_LIVE,
            ),
            models.Index(
                fields=["account", "-created_at", "-id"],
                name="deal_by_account",
                condition=_LIVE,
            ),
            models.Index(fields=["-updated_at", "-id"], name="deal_changed", condition=_LIVE),
            models.Index(fields=["-amount", "-id"], name="deal_by_amount", condition=_LIVE),
            models.Index(fields=["-deal_score", "-id"], name="deal_by_score", condition=_LIVE),
            models.Index(
                fields=["owner", "stage_key", "expected_close_date"],
                include=["amount", "probability", "currency"],
                name="deal_pipeline_owner",
                condition=_LIVE & Q(kind=Kind.OPEN),
            ),
            models.Index(
                fields=["territory", "stage_key", "expected_close_date"],
                include=["amount", "probability", "currency", "owner"],
                name="deal_pipeline_territory",
                condition=_LIVE & Q(kind=Kind.OPEN),
            ),
            models.Index(fields=["deleted_at"], name="deal_in_bin", condition=~Q(deleted_at=None)),
            GinIndex(fields=["search_vector"], name="deal_words"),
        ]
        constraints = [
            models.UniqueConstraint("lead", name="deal_of_lead_once"),
            models.UniqueConstraint(
                "external_id",
                "external_source",
                name="deal_external_id_once",
                condition=_LIVE & ~Q(external_id=""),
            ),
            models.CheckConstraint(condition=~Q(name=""), name="deal_has_name"),
            models.CheckConstraint(condition=Q(**_PERCENT), name="deal_probability_percent"),
            models.CheckConstraint(
                condition=Q(deal_score__gte=0, deal_score__lte=100), name="deal_score_percent"
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="deal_amount_not_negative"),
            models.CheckConstraint(
                condition=Q(contract_term=None) | Q(contract_term__gt=0),
                name="deal_contract_term_months",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind="open",
                    forecast_category__in=OPEN_CATEGORIES,
                    loss_reason="",
                    actual_close_date=None,
                    won_at=None,
                    lost_at=None,
                )
                | Q(
                    kind="won",
                    probability=100,
                    forecast_category="closed",
                    loss_reason="",
                    actual_close_date__isnull=False,
                    won_at__isnull=False,
                    lost_at=None,
                )
                | (
                    Q(
                        kind="lost",
                        probability=0,
                        forecast_category="omitted",
                        actual_close_date__isnull=False,
                        won_at=None,
                        lost_at__isnull=False,
                    )
                    & ~Q(loss_reason="")
                ),
                name="deal_kind_agrees",
            ),
            models.CheckConstraint(
                condition=Q(archived_at=None) | ~Q(kind="open"), name="deal_archived_is_closed"
            ),
            models.CheckConstraint(
                condition=Q(deleted_at=None) | ~Q(kind="won"), name="deal_won_is_kept"
            ),
            models.CheckConstraint(
                condition=Q(deleted_at=None, deleted_by_id=None)
                | Q(deleted_at__isnull=False, deleted_by_id__isnull=False),
                name="deal_deleted_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_open(self) -> bool:
        """Whether it is being worked."""
        return self.kind == Kind.OPEN


@audited("opportunity_lines", rights={"unit_cost": READ_PRODUCT_COST})
class OpportunityLine(Record):
    """A product on a deal. `discount` is a share: 0.1 takes a tenth off.

    `unit_cost` is the product's when the line was written, so that the margin of a deal stays.
    """

    opportunity = models.ForeignKey(
        Opportunity, on_delete=models.CASCADE, related_name="lines", db_index=False
    )
    position = models.SmallIntegerField()
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    quantity = models.IntegerField()
    unit_price = MoneyField()
    discount = models.DecimalField(max_digits=5, decimal_places=4, default=ZERO)
    amount = MoneyField(editable=False)
    unit_cost = MoneyField(null=True, editable=False)
    configuration = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("opportunity", "position", name="deal_line_position_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="deal_line_quantity"),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="deal_line_unit_price"),
            models.CheckConstraint(
                condition=Q(discount__gte=0, discount__lte=1), name="deal_line_discount"
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="deal_line_amount"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product_id}"


@audited("opportunity_splits")
class OpportunitySplit(Record):
    """What one person is credited of a deal, in percent.

    The revenue shares of a deal come to exactly 100, which the database sees to when the
    transaction ends; without any, the owner is credited with all of it.
    """

    opportunity = models.ForeignKey(
        Opportunity, on_delete=models.CASCADE, related_name="splits", db_index=False
    )
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=SplitKind)
    percentage = models.DecimalField(max_digits=5, decimal_places=2)

    class Meta:
        constraints = [
            models.UniqueConstraint("opportunity", "kind", "user", name="deal_split_once"),
            models.CheckConstraint(
                condition=Q(percentage__gt=0, percentage__lte=100), name="deal_split_percent"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=("revenue", "overlay")), name="deal_split_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.percentage} % {self.kind} of {self.user_id}"


class OpportunityChange(models.Model):
    """One change of what a deal is worth, when, to whom and how likely. Never altered.

    Each row holds the whole state before and after, so the state at any moment is the last row
    before it. `seq` is the deal's version after the change.
    """

    class Kind(models.TextChoices):
        CREATED = "created"
        CHANGED = "changed"
        MOVED = "moved"
        WON = "won"
        LOST = "lost"
        REOPENED = "reopened"
        REASSIGNED = "reassigned"
        DELETED = "deleted"
        RESTORED = "restored"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    opportunity = models.ForeignKey(
        Opportunity, on_delete=models.PROTECT, related_name="changes", db_index=False
    )
    seq = models.IntegerField()
    kind = models.CharField(max_length=20, choices=Kind)
    at = models.DateTimeField()
    actor_id = models.UUIDField()
    door = models.CharField(max_length=20)
    correlation_id = models.CharField(max_length=128, blank=True)
    stage_from = models.ForeignKey(
        Stage, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    stage_to = models.ForeignKey(Stage, on_delete=models.PROTECT, related_name="+", db_index=False)
    amount_from = MoneyField(null=True)
    amount_to = MoneyField()
    currency = CurrencyField()
    close_from = models.DateField(null=True)
    close_to = models.DateField(null=True)
    owner_from = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    owner_to = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    probability_from = models.SmallIntegerField(null=True)
    probability_to = models.SmallIntegerField()
    category_from = models.CharField(max_length=20, blank=True)
    category_to = models.CharField(max_length=20)
    notes = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["at"], name="deal_change_at"),
            models.Index(
                fields=["owner_to", "at"],
                name="deal_closings_of_owner",
                condition=Q(kind__in=("won", "lost")),
            ),
        ]
        constraints = [models.UniqueConstraint("opportunity", "seq", name="deal_change_once")]

    def __str__(self) -> str:
        return f"{self.opportunity_id} #{self.seq} {self.kind}"


class StageSpan(models.Model):
    """How long a deal stood in a stage. Exactly one span of a deal is open: its present stage."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    opportunity = models.ForeignKey(
        Opportunity, on_delete=models.PROTECT, related_name="spans", db_index=False
    )
    stage = models.ForeignKey(Stage, on_delete=models.PROTECT, related_name="+", db_index=False)
    entered_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["opportunity", "entered_at"], name="stage_span_of_deal"),
            models.Index(fields=["stage", "entered_at"], name="stage_span_by_stage"),
        ]
        constraints = [
            models.UniqueConstraint(
                "opportunity", name="stage_span_one_open", condition=Q(left_at=None)
            ),
            models.CheckConstraint(
                condition=Q(left_at=None) | Q(left_at__gte=F("entered_at")),
                name="stage_span_direction",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.opportunity_id} in {self.stage_id} since {self.entered_at}"


class OpportunityAssignment(AssignmentPeriod):
    """Whom a deal belonged to, and since when."""

    record = models.ForeignKey(
        Opportunity, on_delete=models.PROTECT, related_name="assignments", db_index=False
    )

    class Meta:
        constraints = [AssignmentPeriod.one_at_a_time("deal_one_at_a_time")]


class OpportunityImport(ImportedFile):
    """A file of opportunities."""

    class MatchOn(models.TextChoices):
        EXTERNAL_ID = "external_id"

    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="opportunity_import")
    undo_job = models.OneToOneField(
        Job,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="undone_opportunity_import",
    )
    match_on = models.CharField(max_length=20, choices=MatchOn)


class OpportunityImportRow(ImportedRow):
    """What became of one line of a file of opportunities."""

    file_field = "opportunity_import"
    record_field = "opportunity_id"

    opportunity_import = models.ForeignKey(
        OpportunityImport, on_delete=models.CASCADE, related_name="rows", db_index=False
    )
    opportunity_id = models.UUIDField(null=True)

    class Meta:
        indexes = ImportedRow.indexes("opportunity_import")
