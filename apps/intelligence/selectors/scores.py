"""Answers about scores that are not rows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.core.actors import Actor
from apps.core.errors import NotFound
from apps.core.permissions import require
from apps.customer_success.selectors import standings_of
from apps.intelligence.models import DealProbability, ScoreModel
from apps.opportunities.models import Opportunity
from apps.opportunities.permissions import READ_OPPORTUNITY
from apps.opportunities.rules import deal_score
from apps.opportunities.selectors import processes
from apps.opportunities.services.scores import health_of


def is_published(subject: str) -> bool:
    """Whether a score model of a subject is in force."""
    published = ScoreModel.objects.filter(subject=subject, state=ScoreModel.State.PUBLISHED)
    return published.exists()


def score_of_deal(*, opportunity_id: UUID, actor: Actor) -> dict[str, Any]:
    """A deal's score with the reasons for it, and what the rules notice about its health.

    Raises NotAllowed, NotFound.
    """
    require(actor, READ_OPPORTUNITY)
    deal: Opportunity | None = Opportunity.objects.one_visible_to(actor, opportunity_id)
    if deal is None:
        raise NotFound
    learned = DealProbability.objects.filter(pk=deal.pk).first()
    stage = processes([deal.pipeline_id])[deal.pipeline_id].stage(deal.stage_key)
    customer = standings_of([deal.account_id])[deal.account_id]
    health = deal_score(health_of(deal, stage, customer, timezone.now()))
    return {
        "opportunity_id": deal.pk,
        "score": deal.deal_score,
        "source": deal.deal_score_source,
        "version": deal.deal_score_version,
        "probability": None if learned is None else float(learned.probability),
        "computed_at": deal.updated_at if learned is None else learned.scored_at,
        "reasons": deal.deal_score_reasons,
        "health": [one.as_json() for one in health.reasons],
    }
