"""Forecasts: computed snapshots with the deals behind every number, and people's own calls."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.timezone import localtime

from apps.core.history import audited
from apps.core.identifiers import new_id
from apps.core.models import Job, Record
from apps.core.money import ZERO, CurrencyField, ExactDecoder, ExactEncoder, MoneyField
from apps.forecasts.rules import COUNTED, HORIZONS, ForecastType, Length, Occasion, Standing
from apps.opportunities.models import Opportunity
from apps.opportunities.rules import Category
from apps.territories.models import Territory
from apps.users.models import User

_SUM_DIGITS = 20
# All that adding up facts reads of them.
_ADDED_UP = (
    "category",
    "stage",
    "currency",
    "amount",
    "weighted_amount",
    "probability",
    "opportunity",
)
_CURRENT = Q(is_current=True)
_COUNTING = Q(ended_at=None)
_PAST = Q(ended_at__isnull=False)
_ONE_NODE = Q(user=None, territory__isnull=False) | Q(user__isnull=False, territory=None)


def _node_id() -> models.GeneratedField:
    return models.GeneratedField(
        expression=Coalesce(F("user_id"), F("territory_id")),
        output_field=models.UUIDField(),
        db_persist=True,
    )


class NightlyRun(Record):
    """The nightly computation of one day where the organisation is. There is one a day."""

    day = models.DateField()
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint("day", name="nightly_run_once_a_day")]

    def __str__(self) -> str:
        return f"{self.day}"


class ForecastSnapshot(models.Model):
    """What was to be expected of a person or territory for a period, as computed at a moment.

    The totals are those of the lines in `currency`: `weighted_amount` is the forecast (closed, and
    open by its probability), `open_amount` what is still being worked. `model_weighted_amount` is
    the forecast by the probabilities of the score model, where one was in force; the period comes
    to less than `low_amount` in one of ten cases and to more than `high_amount` in one. Snapshots
    of before these were known lack them. Later snapshots take over `is_current`; nothing else of a
    snapshot is ever altered. `starts_on` and `ends_on` keep what
    the period meant, whatever the fiscal year becomes.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    territory = models.ForeignKey(
        Territory, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    node_id = _node_id()
    period = models.CharField(max_length=10)
    starts_on = models.DateField()
    ends_on = models.DateField()
    kind = models.CharField(max_length=10, choices=Occasion)
    taken_at = models.DateTimeField()
    is_current = models.BooleanField()
    currency = CurrencyField()
    weighted_amount = MoneyField(max_digits=_SUM_DIGITS)
    open_amount = MoneyField(max_digits=_SUM_DIGITS)
    closed_amount = MoneyField(max_digits=_SUM_DIGITS)
    model_weighted_amount = MoneyField(max_digits=_SUM_DIGITS, null=True)
    low_amount = MoneyField(max_digits=_SUM_DIGITS, null=True)
    median_amount = MoneyField(max_digits=_SUM_DIGITS, null=True)
    high_amount = MoneyField(max_digits=_SUM_DIGITS, null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["period", "-weighted_amount", "-id"],
                name="forecast_by_period",
                condition=_CURRENT,
            ),
            models.Index(fields=["node_id", "period", "taken_at"], name="forecast_of_node"),
        ]
        constraints = [
            models.UniqueConstraint(
                "node_id", "period", name="forecast_one_current", condition=_CURRENT
            ),
            models.CheckConstraint(condition=_ONE_NODE, name="forecast_of_one_node"),
            models.CheckConstraint(
                condition=Q(ends_on__gte=F("starts_on")), name="forecast_period_direction"
            ),
        ]

    def __str__(self) -> str:
        return f"Forecast of {self.period}, {localtime(self.taken_at):%Y-%m-%d %H:%M}"


class ForecastLine(models.Model):
    """What the deals of one category and currency add to a snapshot; empty ones have no line.

    `breakdown` splits it by stage, as `forecast.updated` tells it. `variance` and `third_moment`
    say how far what comes of its deals can lie from what is expected; they add up.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    snapshot = models.ForeignKey(
        ForecastSnapshot, on_delete=models.CASCADE, related_name="lines", db_index=False
    )
    currency = CurrencyField()
    category = models.CharField(max_length=20, choices=Category)
    count = models.IntegerField()
    amount = MoneyField(max_digits=_SUM_DIGITS)
    weighted_amount = MoneyField(max_digits=_SUM_DIGITS)
    model_weighted_amount = MoneyField(max_digits=_SUM_DIGITS, null=True)
    variance = models.FloatField(default=0)
    third_moment = models.FloatField(default=0)
    breakdown = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint("snapshot", "currency", "category", name="forecast_line_once"),
            models.CheckConstraint(
                condition=Q(category__in=COUNTED), name="forecast_line_category"
            ),
            models.CheckConstraint(condition=Q(count__gt=0), name="forecast_line_not_empty"),
            models.CheckConstraint(
                condition=Q(weighted_amount__gte=0, weighted_amount__lte=F("amount")),
                name="forecast_line_weighted",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.category} {self.amount} {self.currency}"


class ForecastFact(models.Model):
    """How a deal counts in forecasts, from one moment to another; the open one counts now.

    The facts of a snapshot's line are those of its person (`owner`) or territory, category and
    currency with `counts_on` in its period, that counted when it was taken: their sums are the
    line's numbers. A deal gets a new fact only when something of it changes, so every snapshot
    drills down to its deals for the price of the changes. `left_as` says what became of a deal
    that has no fact after this one.
    """

    LEFT_AS = ((Standing.LOST.value, "Lost"), (Standing.REMOVED.value, "Taken out"))

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    opportunity = models.ForeignKey(
        Opportunity, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    territory = models.ForeignKey(
        Territory, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    stage = models.CharField(max_length=50)
    category = models.CharField(max_length=20, choices=Category)
    currency = CurrencyField()
    amount = MoneyField()
    probability = models.SmallIntegerField()
    weighted_amount = MoneyField()
    counts_on = models.DateField()
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    left_as = models.CharField(max_length=10, blank=True, choices=LEFT_AS)

    class Meta:
        indexes = [
            models.Index(
                fields=["owner", "counts_on"],
                include=_ADDED_UP,
                name="forecast_counts_by_owner",
                condition=_COUNTING,
            ),
            models.Index(
                fields=["territory", "counts_on"],
                include=_ADDED_UP,
                name="forecast_counts_by_territory",
                condition=_COUNTING,
            ),
            models.Index(
                fields=["counts_on", "id"], name="forecast_fact_by_day", condition=_COUNTING
            ),
            models.Index(
                fields=["owner", "counts_on"], name="forecast_past_by_owner", condition=_PAST
            ),
            models.Index(
                fields=["territory", "counts_on"],
                name="forecast_past_by_territory",
                condition=_PAST,
            ),
            models.Index(fields=["opportunity", "began_at"], name="forecast_fact_of_deal"),
        ]
        constraints = [
            models.UniqueConstraint(
                "opportunity", name="forecast_fact_one_open", condition=_COUNTING
            ),
            models.CheckConstraint(
                condition=Q(category__in=COUNTED), name="forecast_fact_category"
            ),
            models.CheckConstraint(
                condition=Q(probability__gte=0, probability__lte=100),
                name="forecast_fact_percent",
            ),
            models.CheckConstraint(
                condition=Q(weighted_amount__gte=0, weighted_amount__lte=F("amount")),
                name="forecast_fact_weighted",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("began_at")),
                name="forecast_fact_direction",
            ),
            models.CheckConstraint(
                condition=Q(left_as="") | Q(ended_at__isnull=False), name="forecast_fact_left"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.opportunity_id} counts {self.weighted_amount} on {self.counts_on}"


class Judgement(Record):
    """What somebody thinks a territory or person will bring in. Never altered: the next supersedes.

    `starts_on` and `ends_on` keep what the period meant.
    """

    user = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    territory = models.ForeignKey(
        Territory, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    node_id = _node_id()
    period = models.CharField(max_length=10)
    starts_on = models.DateField()
    ends_on = models.DateField()
    forecast_type = models.CharField(max_length=20, choices=ForecastType)
    amount = MoneyField(default=ZERO)
    currency = CurrencyField()
    supersedes = models.OneToOneField(
        "self", null=True, on_delete=models.PROTECT, related_name="superseded_by"
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.forecast_type} {self.amount} {self.currency} for {self.period}"


def _found_by(word: str) -> list[models.Index]:
    """How judgements of a kind are found."""
    return [
        models.Index(fields=["-created_at", "-id"], name=f"{word}_newest"),
        models.Index(fields=["user", "-created_at", "-id"], name=f"{word}_by_user"),
        models.Index(fields=["territory", "-created_at", "-id"], name=f"{word}_by_territory"),
        models.Index(
            fields=["node_id", "period", "forecast_type", "-created_at"], name=f"{word}_of_node"
        ),
    ]


def _holds_for(word: str) -> list[models.BaseConstraint]:
    """What holds for judgements of a kind: each is of one node, and they make one chain."""
    return [
        models.UniqueConstraint(
            "node_id",
            "period",
            "forecast_type",
            name=f"{word}_one_first",
            condition=Q(supersedes=None),
        ),
        models.CheckConstraint(condition=_ONE_NODE, name=f"{word}_of_one_node"),
        models.CheckConstraint(
            condition=Q(ends_on__gte=F("starts_on")), name=f"{word}_period_direction"
        ),
        models.CheckConstraint(condition=Q(amount__gte=0), name=f"{word}_not_negative"),
        models.CheckConstraint(
            condition=Q(supersedes=None) | ~Q(supersedes=F("id")), name=f"{word}_supersedes_other"
        ),
    ]


@audited("submissions")
class ForecastSubmission(Judgement):
    """What somebody says a territory or person will bring in, for whom they speak."""

    notes = models.TextField(blank=True)
    submitted_by_id = models.UUIDField()

    class Meta:
        indexes = _found_by("submission")
        constraints = _holds_for("submission")


@audited("forecast_adjustments")
class ForecastAdjustment(Judgement):
    """What somebody who leads a person, or manages a territory, takes their forecast for, and why.

    It stands beside what was computed and submitted and alters neither.
    """

    reason = models.TextField()
    adjusted_by_id = models.UUIDField()

    class Meta:
        indexes = _found_by("adjustment")
        constraints = [
            *_holds_for("adjustment"),
            models.CheckConstraint(condition=~Q(reason=""), name="adjustment_has_a_reason"),
        ]


class ForecastAccuracy(models.Model):
    """What was forecast for a period so many days before its end, beside what it came to.

    Of a person with everybody who reports to them, or a territory with those below it, by the lines
    of the day on which it was measured. What nobody said or computed by then is not there.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    territory = models.ForeignKey(
        Territory, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    node_id = _node_id()
    period = models.CharField(max_length=10)
    starts_on = models.DateField()
    ends_on = models.DateField()
    period_kind = models.CharField(max_length=10, choices=Length)
    days_before = models.SmallIntegerField()
    currency = CurrencyField()
    submitted_amount = MoneyField(max_digits=_SUM_DIGITS, null=True)
    weighted_amount = MoneyField(max_digits=_SUM_DIGITS, null=True)
    model_weighted_amount = MoneyField(max_digits=_SUM_DIGITS, null=True)
    run_rate_amount = MoneyField(max_digits=_SUM_DIGITS, null=True)
    actual_amount = MoneyField(max_digits=_SUM_DIGITS)
    measured_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "forecast accuracies"
        indexes = [
            models.Index(fields=["-ends_on", "-id"], name="accuracy_newest"),
            models.Index(fields=["period"], name="accuracy_of_period"),
        ]
        constraints = [
            models.UniqueConstraint(
                "node_id", "period", "days_before", "currency", name="accuracy_once"
            ),
            models.CheckConstraint(condition=_ONE_NODE, name="accuracy_of_one_node"),
            models.CheckConstraint(
                condition=Q(days_before__in=HORIZONS), name="accuracy_days_before"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.period}, {self.days_before} days before its end"


class FinanceReport(models.Model):
    """What finance was told of a month or quarter, as it stood when the report was issued.

    One is issued by the clock once the period is over; whoever asks for another gets the next
    `number`. Reports are never altered. `figures` are those of `selectors.finance`.
    """

    class Kind(models.TextChoices):
        MONTHLY = "monthly", "Revenue forecast"
        QUARTERLY = "quarterly", "Pipeline and territories"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=10, choices=Kind)
    period = models.CharField(max_length=10)
    starts_on = models.DateField()
    ends_on = models.DateField()
    number = models.PositiveSmallIntegerField()
    is_scheduled = models.BooleanField()
    issued_at = models.DateTimeField(default=timezone.now)
    issued_by_id = models.UUIDField()
    currency = CurrencyField()
    figures = models.JSONField(encoder=ExactEncoder, decoder=ExactDecoder)

    class Meta:
        indexes = [models.Index(fields=["-issued_at", "-id"], name="finance_report_newest")]
        constraints = [
            models.UniqueConstraint("starts_on", "ends_on", "number", name="finance_report_number"),
            models.UniqueConstraint(
                "starts_on",
                "ends_on",
                name="finance_report_scheduled_once",
                condition=Q(is_scheduled=True),
            ),
            models.CheckConstraint(
                condition=Q(ends_on__gte=F("starts_on")), name="finance_report_direction"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.period}, no. {self.number}"

    @property
    def file_name(self) -> str:
        """What a file of its figures is called."""
        return f"{self.period}-{self.number}"
