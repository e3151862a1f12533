"""Scoring what is open by the model in force, or by the rules where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.permissions import require
from apps.intelligence.models import DealProbability, ScoreModel
from apps.intelligence.permissions import TRAIN_SCORE_MODEL
from apps.intelligence.rules.columns import Subject
from apps.intelligence.rules.facts import BASE_TEXT, COLUMNS
from apps.intelligence.rules.reasons import Explained, Prediction, explain
from apps.intelligence.services.deals import Moment, known_of_deals
from apps.intelligence.services.engine import engine, published, trees_of
from apps.intelligence.services.leads import known_of_leads
from apps.leads.services.scores import LeadScoreGiven, record_lead_scores, score_leads_by_rules
from apps.opportunities.services.scores import (
    DealScoreGiven,
    record_deal_scores,
    score_deals_by_rules,
)


@command
def score_deals(*, ids: Sequence[UUID], actor: Actor) -> int:
    """Score open deals by what is known of them now; how many got another score.

    Doing it twice is harmless. Raises NotAllowed.
    """
    require(actor, TRAIN_SCORE_MODEL)
    model = published(Subject.DEAL)
    if model is None:
        _forget_probabilities(ids)
        return score_deals_by_rules(ids=ids, actor=actor)
    now = timezone.now()
    known = known_of_deals([Moment(one, now) for one in dict.fromkeys(ids)])
    found = _predicted(model, Subject.DEAL, [one.facts for one in known])
    scored = [one.moment.deal_id for one in known]
    _keep_probabilities(model, dict(zip(scored, (one for one, _ in found), strict=True)), now)
    _forget_probabilities(sorted(set(ids) - set(scored)))
    return record_deal_scores(
        scores=[
            DealScoreGiven(
                opportunity_id=deal_id,
                value=explained.value,
                version=model.name,
                reasons=tuple(vars(reason) for reason in explained.reasons),
            )
            for deal_id, (_, explained) in zip(scored, found, strict=True)
        ],
        actor=actor,
    )


@command
def score_leads(*, ids: Sequence[UUID], actor: Actor) -> int:
    """Score open leads by what was known when they were captured; how many got another score.

    Doing it twice is harmless. Raises NotAllowed.
    """
    require(actor, TRAIN_SCORE_MODEL)
    model = published(Subject.LEAD)
    if model is None:
        return score_leads_by_rules(ids=ids, actor=actor)
    known = known_of_leads(list(dict.fromkeys(ids)))
    found = _predicted(model, Subject.LEAD, list(known.values()))
    return record_lead_scores(
        scores=[
            LeadScoreGiven(
                lead_id=lead_id,
                value=explained.value,
                version=model.name,
                reasons=tuple(
                    {"feature": reason.key, "points": reason.points, "sentence": reason.text}
                    for reason in explained.reasons
                ),
            )
            for lead_id, (_, explained) in zip(known, found, strict=True)
        ],
        actor=actor,
    )


def _predicted(
    model: ScoreModel, subject: Subject, facts: Sequence[dict[str, object]]
) -> list[tuple[Prediction, Explained]]:
    """What a model says of rows, and in words."""
    columns = COLUMNS[subject]
    if not facts:
        return []
    predictions = trees_of(model.pk).predictions(engine("tables").columns_of(facts, columns))
    return [
        (one, explain(one, columns, values, base_text=BASE_TEXT[subject]))
        for one, values in zip(predictions, facts, strict=True)
    ]


_KEEP = """
INSERT INTO intelligence_dealprobability AS p (opportunity_id, model_id, probability, scored_at)
SELECT o.id, %s, v.probability, %s
FROM unnest(%s::uuid[], %s::numeric[]) AS v(id, probability)
JOIN opportunities_opportunity o ON o.id = v.id AND o.kind = 'open'
ORDER BY o.id
ON CONFLICT (opportunity_id) DO UPDATE
SET model_id = excluded.model_id, probability = excluded.probability,
    scored_at = excluded.scored_at
"""


def _keep_probabilities(
    model: ScoreModel, predictions: dict[UUID, Prediction], now: datetime
) -> None:
    shares = [Decimal(f"{one.probability:.5f}") for one in predictions.values()]
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [model.pk, now, list(predictions), shares])


def _forget_probabilities(ids: Sequence[UUID]) -> None:
    DealProbability.objects.filter(pk__in=list(ids)).delete()
