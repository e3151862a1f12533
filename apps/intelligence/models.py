"""Models that were learned, and how likely they say deals are won."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from apps.core.history import audited
from apps.core.models import Job, Record
from apps.intelligence.rules.columns import Subject, Verdict
from apps.opportunities.models import Opportunity

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
