"""What is forgotten of models nobody goes by, and of suggestions that are over."""

from __future__ import annotations

from datetime import datetime

from django.db.models import CharField, Exists, OuterRef, Q, Value
from django.db.models.functions import Cast, Concat

from apps.core.retention import Due, Rows, forgets
from apps.intelligence.models import DealProbability, ScoreModel, Suggestion
from apps.intelligence.selectors.suggestions import LONGEST_DAYS
from apps.leads.models import Lead
from apps.opportunities.models import Opportunity

# How scores name a model (`ScoreModel.name`).
_NAME = Concat("subject", Value("-model-"), Cast("version", CharField()), output_field=CharField())
_SCORES = (
    Opportunity.objects.with_bin().filter(deal_score_version=OuterRef("known_as")),
    Lead.objects.with_bin().filter(score_version=OuterRef("known_as")),
    DealProbability.objects.filter(model=OuterRef("pk")),
)


@forgets(
    "intelligence.score_models",
    "Score models that were refused or retired, unless a score still names them",
    days=365,
)
def old_score_models(before: datetime) -> Due:
    """Models of long ago that nobody goes by; the latest of each subject stays, so that no number
    is given twice."""
    later = ScoreModel.objects.filter(subject=OuterRef("subject"), version__gt=OuterRef("version"))
    over = ScoreModel.objects.filter(
        Q(state=ScoreModel.State.REFUSED, created_at__lt=before)
        | Q(state=ScoreModel.State.RETIRED, retired_at__lt=before)
    )
    is_named = [Exists(one) for one in _SCORES]
    return Rows(over.alias(known_as=_NAME).filter(Exists(later), *(~Q(one) for one in is_named)))


@forgets(
    "intelligence.undecided_suggestions",
    "Suggestions that ended without anybody deciding on them",
    days=90,
)
def old_undecided_suggestions(before: datetime) -> Due:
    """Suggestions that were over before anybody said anything of them."""
    return Rows(Suggestion.objects.filter(ended_at__lt=before, decision=""))


@forgets(
    "intelligence.decided_suggestions",
    "Suggestions that were decided on and ended: what their outcomes are measured by",
    days=LONGEST_DAYS,
)
def old_decided_suggestions(before: datetime) -> Due:
    """Suggestions whose outcomes nobody can ask for any more."""
    return Rows(Suggestion.objects.filter(decided_at__lt=before, ended_at__lt=before))
