"""Which model is in force: published, replaced, retired; what is open follows in the background."""

from __future__ import annotations

from contextlib import ExitStack
from uuid import UUID

from django.utils import timezone

from apps.core.actors import Actor, system_actor
from apps.core.commands import command
from apps.core.errors import NotFound
from apps.core.jobs import Step, request_job, runs
from apps.core.models import Job
from apps.core.permissions import require
from apps.intelligence.errors import ModelNotPublishable, ModelNotPublished
from apps.intelligence.models import ScoreModel
from apps.intelligence.permissions import TRAIN_SCORE_MODEL
from apps.intelligence.rules.columns import Subject
from apps.intelligence.services.deals import open_deals_after
from apps.intelligence.services.leads import open_leads_after
from apps.intelligence.services.scoring import score_deals, score_leads

SCORING_JOB = "intelligence.scoring"
_FIRST = UUID(int=0)


@command
def publish_score_model(*, model_id: UUID, actor: Actor) -> ScoreModel:
    """Score by this model from now on, in place of the one before or the rules.

    Raises NotAllowed, NotFound, ModelNotPublishable.
    """
    require(actor, TRAIN_SCORE_MODEL)
    model = _locked(model_id)
    if model.state == ScoreModel.State.PUBLISHED:
        return model
    if model.state == ScoreModel.State.REFUSED:
        raise ModelNotPublishable(verdict=model.verdict)
    put_in_force(model, actor=actor)
    return model


@command
def retire_score_model(*, model_id: UUID, actor: Actor) -> ScoreModel:
    """Go back to the rules. Raises NotAllowed, NotFound, ModelNotPublished."""
    require(actor, TRAIN_SCORE_MODEL)
    model = _locked(model_id)
    if model.state != ScoreModel.State.PUBLISHED:
        raise ModelNotPublished
    _retire(model.subject)
    model.refresh_from_db()
    _follow(model.subject, actor)
    return model


def put_in_force(model: ScoreModel, *, actor: Actor) -> None:
    """Publish a model in place of the one before, and have what is open scored by it."""
    _retire(model.subject)
    model.state = ScoreModel.State.PUBLISHED
    model.published_at, model.retired_at = timezone.now(), None
    model.save(update_fields=["state", "published_at", "retired_at", "updated_at"])
    _follow(model.subject, actor)


def _locked(model_id: UUID) -> ScoreModel:
    """The model, with all others of its subject locked in key order."""
    subject = ScoreModel.objects.filter(pk=model_id).values_list("subject", flat=True).first()
    if subject is None:
        raise NotFound("There is no such model.")
    models = ScoreModel.objects.filter(subject=subject).defer("trees").select_for_update()
    return {one.pk: one for one in models.order_by("pk")}[model_id]


def _retire(subject: str) -> None:
    now = timezone.now()
    ScoreModel.objects.filter(subject=subject, state=ScoreModel.State.PUBLISHED).update(
        state=ScoreModel.State.RETIRED, retired_at=now, updated_at=now
    )


def _follow(subject: str, actor: Actor) -> None:
    request_job(SCORING_JOB, parameters={"subject": str(subject)}, actor=actor)


@runs(SCORING_JOB)
def start_scoring(job: Job, resources: ExitStack) -> Step:
    """Score all that is open anew, batch by batch in the order of ids, by whatever is in force."""
    is_of_deals = job.parameters["subject"] == Subject.DEAL
    after = open_deals_after if is_of_deals else open_leads_after
    score = score_deals if is_of_deals else score_leads

    def next_batch(job: Job) -> bool:
        ids = after(UUID(job.parameters.get("after", str(_FIRST))))
        if not ids:
            return False
        job.succeeded += score(ids=ids, actor=system_actor(door="job"))
        job.parameters["after"] = str(ids[-1])
        job.position += len(ids)
        return True

    return next_batch
