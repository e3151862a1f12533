"""`/intelligence`: the models that scores come from, and the scores of deals."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.bodies import Body
from apps.core.api.bulk import JobReceipt
from apps.core.api.endpoint import Endpoint, listed, operation, shown
from apps.intelligence.fields import SCORE_MODELS
from apps.intelligence.models import ScoreModel
from apps.intelligence.rules.columns import Subject
from apps.intelligence.selectors.scores import score_of_deal
from apps.intelligence.services.publishing import publish_score_model, retire_score_model
from apps.intelligence.services.training import train_score
from apps.opportunities.models import Opportunity

TAGS = ("intelligence",)


class Training(Body):
    """Which score is to be learned anew."""

    subject = serializers.ChoiceField(Subject.choices)


class Standing(Body):
    """Where a model is to stand."""

    state = serializers.ChoiceField(("published", "retired"))


class ModelReceipt(serializers.Serializer):
    """Where a model stands now."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    state = serializers.ChoiceField(ScoreModel.State.choices)


def model_receipt(model: ScoreModel) -> dict[str, Any]:
    """What tells where a model stands."""
    return {"id": model.pk, "name": model.name, "state": model.state}


class ScoreModelCollection(Endpoint):
    """`/intelligence/models`."""

    get = listed(SCORE_MODELS, summary="The models that were learned, newest first", tags=TAGS)

    @operation(
        summary="Have a score learned anew", body=Training, answer=JobReceipt, status=202, tags=TAGS
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        job = train_score(**body, actor=actor)
        return {"id": job.pk, "status": job.status}


class ScoreModelItem(Endpoint):
    """`/intelligence/models/{model_id}`."""

    get = shown(SCORE_MODELS, summary="A model with its card", tags=TAGS)

    @operation(
        summary="Score by this model from now on, or go back to the rules",
        body=Standing,
        answer=ModelReceipt,
        tags=TAGS,
    )
    def patch(self, actor: Actor, model_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        move = publish_score_model if body["state"] == "published" else retire_score_model
        return model_receipt(move(model_id=model_id, actor=actor))


class DealReason(serializers.Serializer):
    """Points for one fact, and why."""

    key = serializers.CharField()
    points = serializers.IntegerField()
    text = serializers.CharField()


class DealScoreAnswer(serializers.Serializer):
    """A deal's score with its reasons; `probability` is the model's, unrounded."""

    opportunity_id = serializers.UUIDField()
    score = serializers.IntegerField()
    source = serializers.ChoiceField(Opportunity.ScoreSource.choices)
    version = serializers.CharField()
    probability = serializers.FloatField(allow_null=True)
    computed_at = serializers.DateTimeField()
    reasons = DealReason(many=True)
    health = DealReason(many=True)


class OpportunityScore(Endpoint):
    """`/opportunities/{opportunity_id}/score`."""

    @operation(
        summary="A deal's score, its reasons, and its health by the rules",
        answer=DealScoreAnswer,
        tags=("opportunities",),
    )
    def get(self, actor: Actor, opportunity_id: UUID) -> dict[str, Any]:
        return score_of_deal(opportunity_id=opportunity_id, actor=actor)
