"""Models that were learned, how likely they say deals are won, and what is suggested."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from apps.core.history import audited
from apps.core.identifiers import new_id
from apps.core.models import Job, Record
from apps.core.money import ZERO, MoneyField
from apps.intelligence.querysets import SuggestionQuerySet
from apps.intelligence.rules.columns import Subject, Verdict
from apps.intelligence.rules.suggestions import Decision, Ending
from apps.leads.models import Lead
from apps.opportunities.models import Opportunity
from apps.users.models import User

_PUBLISHED = Q(state="published")


@audited("score_models", leave_out=("card", "trees", "drift", "drift_checked_at"))
class ScoreModel(Record):
    """A model that was learned, whatever came of it. There is one published for each subject.

    `card` says what it was learned from and how good it is on rows that it never saw. `trees` is
    the model as text; there is none where nothing could be learned. `drift` says how far the rows
    that are scored now have moved away from those.
    """

    class State(models.TextChoices):
        PUBLISHED = "published"
        CHALLENGER = "challenger"
        RETIRED = "retired"
        REFUSED = "refused"

    subject = models.CharField(max_length=10, choices=Subject)
    version = models.IntegerField()
    state = models.CharField(max_length=12, choices=State)
    verdict = models.CharField(max_length=12, choices=Verdict)
    card = models.JSONField()
    trees = models.TextField(blank=True)
    digest = models.CharField(max_length=64, blank=True)
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    published_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)
    drift = models.JSONField(null=True)
    drift_checked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("subject", "version", name="score_model_version_once"),
            models.UniqueConstraint(
                "subject", name="score_model_one_published", condition=_PUBLISHED
            ),
            models.CheckConstraint(
                condition=Q(state="refused") | (Q(verdict="better") & ~Q(trees="")),
                name="score_model_is_better",
            ),
            models.CheckConstraint(
                condition=~_PUBLISHED | Q(published_at__isnull=False),
                name="score_model_published_when",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """How scores name it."""
        return f"{self.subject}-model-{self.version}"

    def figure(self, name: str) -> dict[str, Any] | None:
        """A figure of its card, with the interval."""
        found: dict[str, Any] | None = self.card.get("figures", {}).get(name)
        return found


class DealProbability(models.Model):
    """How likely the published model says an open deal is won, for whoever weighs amounts by it.

    It goes when the model is retired or the deal is closed.
    """

    opportunity = models.OneToOneField(
        Opportunity, primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    model = models.ForeignKey(ScoreModel, on_delete=models.PROTECT, related_name="+")
    probability = models.DecimalField(max_digits=6, decimal_places=5)
    scored_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "deal probabilities"
        constraints = [
            models.CheckConstraint(
                condition=Q(probability__gt=0, probability__lt=1), name="deal_probability_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.probability} for {self.opportunity_id}"


class Suggestion(models.Model):
    """One thing to do about an open deal or lead, until it is done or that is closed.

    `gain` is in points of the deal's score; `value` is what that is worth of its amount, in the
    organisation's currency, unknown where a rate of exchange is. Of a lead both go by what sales
    are usually like. Whatever was decided of it stays.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    opportunity = models.ForeignKey(
        Opportunity,
        null=True,
        on_delete=models.CASCADE,
        related_name="suggestions",
        db_index=False,
    )
    lead = models.ForeignKey(
        Lead, null=True, on_delete=models.CASCADE, related_name="suggestions", db_index=False
    )
    key = models.CharField(max_length=30)
    sentence = models.CharField("what to do", max_length=255)
    reason = models.CharField("why", max_length=255)
    gain = models.SmallIntegerField()
    value = MoneyField(null=True)
    made_at = models.DateTimeField()
    decision = models.CharField(max_length=10, choices=Decision, blank=True)
    because = models.CharField("why not", max_length=255, blank=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    ended_at = models.DateTimeField(null=True)
    ended_as = models.CharField(max_length=10, choices=Ending, blank=True)

    objects: ClassVar = models.Manager.from_queryset(SuggestionQuerySet)()

    class Meta:
        indexes = [
            models.Index(
                Coalesce("value", ZERO).desc(),
                models.F("id").desc(),
                name="suggestion_worth_most",
                condition=Q(ended_at=None, decision=""),
            ),
            models.Index(
                Coalesce("value", ZERO).desc(), models.F("id").desc(), name="suggestion_by_worth"
            ),
            models.Index(
                fields=["decided_at"], name="suggestion_decided", condition=~Q(decision="")
            ),
            models.Index(
                fields=["opportunity"],
                name="suggestion_of_deal",
                condition=~Q(opportunity=None),
            ),
            models.Index(fields=["lead"], name="suggestion_of_lead", condition=~Q(lead=None)),
            models.Index(
                fields=["ended_at"],
                name="suggestion_over",
                condition=Q(ended_at__isnull=False, decision=""),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                "opportunity", "key", name="suggestion_once", condition=Q(ended_at=None)
            ),
            models.UniqueConstraint(
                "lead", "key", name="suggestion_of_lead_once", condition=Q(ended_at=None)
            ),
            models.CheckConstraint(
                condition=Q(opportunity=None, lead__isnull=False)
                | Q(opportunity__isnull=False, lead=None),
                name="suggestion_about_one",
            ),
            models.CheckConstraint(
                condition=Q(decision="", decided_at=None, decided_by=None, because="")
                | (Q(decided_at__isnull=False, decided_by__isnull=False) & ~Q(decision="")),
                name="suggestion_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_as="")
                | (Q(ended_at__isnull=False) & ~Q(ended_as="")),
                name="suggestion_ended_somehow",
            ),
            models.CheckConstraint(condition=Q(gain__gt=0), name="suggestion_gains"),
        ]

    def __str__(self) -> str:
        return self.sentence
