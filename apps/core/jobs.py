"""Long work in steps: asked for by a service, run by a worker, resumable after any crash.

An app declares how a kind of job is started:

    @runs("leads.import")
    def start_import(job: Job, resources: ExitStack) -> Step: ...

What it returns is called again and again. Each call is one transaction that also saves the job's
position, and answers whether there is more to do. A worker that dies loses at most the step at
hand, which never happened; the next one starts at the saved position. Files and the like are
entered into `resources`, which are closed when the worker is done with the job.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, ForeignObjectRel, OuterRef
from django.utils import timezone

from apps.core.actors import Actor, become
from apps.core.commands import command
from apps.core.errors import NotFound, Refusal, RuleBroken
from apps.core.events import event
from apps.core.journal import publish
from apps.core.models import Job
from apps.core.permissions import MANAGE_SYSTEM
from apps.core.retention import Due, Rows, forgets

log = logging.getLogger(__name__)

Step = Callable[[Job], bool]
Start = Callable[[Job, ExitStack], Step]
_starts: dict[str, Start] = {}

LOOK_AGAIN_SECONDS = 0.5
STALLED_AFTER = timedelta(minutes=2)


@event("job.requested", topic="sales.jobs", about="job_id")
@dataclass(frozen=True, kw_only=True)
class JobRequested:
    """Somebody asked for long work."""

    job_id: UUID
    kind: str


def runs(kind: str) -> Callable[[Start], Start]:
    """Declare how a kind of job is started, at the position where it stands."""

    def register(start: Start) -> Start:
        _starts[kind] = start
        return start

    return register


def request_job(
    kind: str, *, parameters: dict[str, Any], total: int | None = None, actor: Actor
) -> Job:
    """Record long work to be done and tell the workers. Call it inside a transaction."""
    job = Job.objects.create(
        kind=kind,
        parameters=parameters,
        total=total,
        actor_id=actor.id,
        actor_role=actor.role,
        scopes=None if actor.is_system else sorted(actor.permissions),
        correlation_id=actor.request_id,
    )
    publish(JobRequested(job_id=job.pk, kind=kind), actor=actor)
    return job


def actor_of_job(job: Job, *, door: str = "job") -> Actor:
    """Whoever began a job, with today's rights, and none that they lacked when they began it.

    Raises NotAllowed when that person may not act any more.
    """
    return become(job.actor_id, door=door, request_id=job.correlation_id, scopes=job.scopes)


def job_visible_to(actor: Actor, job_id: UUID) -> Job:
    """A job of the actor's own, or anybody's for those who manage the system. Raises NotFound."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None or not (job.actor_id == actor.id or actor.may(MANAGE_SYSTEM)):
        raise NotFound("There is no such job.", reason="job_not_found")
    return job


@command
def cancel_job(*, job_id: UUID, actor: Actor) -> Job:
    """Stop a job after the step at hand. Raises NotFound, RuleBroken."""
    job_visible_to(actor, job_id)
    job = Job.objects.select_for_update().get(pk=job_id)
    if job.has_ended:
        raise RuleBroken("The job has already ended.", reason="job_has_ended", status=job.status)
    job.cancel_requested_at = timezone.now()
    job.save(update_fields=["cancel_requested_at", "updated_at"])
    return job


def run_job(job_id: UUID) -> None:
    """Run a job step by step until it ends. Two workers at once never do a step twice."""
    with _Run(job_id) as run:
        while run.step():
            pass


def worked_off(job_id: UUID) -> Iterator[Job]:
    """Run a job here, or watch whoever was faster: the job after each step, until it ends."""
    with _Run(job_id) as run:
        while True:
            has_more = run.step()
            job = Job.objects.get(pk=job_id)
            yield job
            if job.has_ended:
                return
            if not has_more:
                time.sleep(LOOK_AGAIN_SECONDS)


class _Run:
    """One worker's go at a job. What it has started is only good at the position it left."""

    def __init__(self, job_id: UUID) -> None:
        self.job_id = job_id
        self.next: Step | None = None
        self.position = -1
        self.resources = ExitStack()

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.resources.close()

    def step(self) -> bool:
        """One step in one transaction; returns whether to go on."""
        try:
            with transaction.atomic():
                job = Job.objects.select_for_update(skip_locked=True).filter(pk=self.job_id).first()
                return job is not None and not job.has_ended and self.advance(job)
        except (OperationalError, InterfaceError):
            # The server is away: the job stays open, and somebody goes on with it later.
            raise
        except Exception as failure:
            log.exception("job %s failed", self.job_id)
            _mark_failed(self.job_id, failure)
            return False

    def advance(self, job: Job) -> bool:
        """Do the next step of a locked job, or end it."""
        if job.cancel_requested_at:
            _end(job, Job.Status.CANCELLED)
            return False
        if job.status == Job.Status.PENDING:
            job.status = Job.Status.RUNNING
            job.started_at = timezone.now()
        if self.next is None or self.position != job.position:
            self.resources.close()
            self.next = _starts[job.kind](job, self.resources)
        if self.next(job):
            job.save()
            self.position = job.position
            return True
        if not job.has_ended:
            _end(job, Job.Status.COMPLETED_WITH_ERRORS if job.failed else Job.Status.COMPLETED)
        return False


def _end(job: Job, status: str) -> None:
    job.status = status
    job.finished_at = timezone.now()
    job.save()


def _mark_failed(job_id: UUID, failure: Exception) -> None:
    sentence = failure.message if isinstance(failure, Refusal) else "The work could not be done."
    Job.objects.filter(pk=job_id).exclude(status__in=Job.ENDED).update(
        status=Job.Status.FAILED,
        message=sentence,
        finished_at=timezone.now(),
        updated_at=timezone.now(),
    )


def stalled_jobs() -> list[UUID]:
    """Jobs that nobody works on any more, though they have not ended."""
    return list(
        Job.objects.filter(
            status__in=(Job.Status.PENDING, Job.Status.RUNNING),
            updated_at__lt=timezone.now() - STALLED_AFTER,
        ).values_list("pk", flat=True)
    )


@forgets("core.jobs", "Long work that has ended", days=90)
def old_jobs(before: datetime) -> Due:
    """Jobs that ended, unless something that is still kept refers to them."""
    ended = Job.objects.filter(status__in=Job.ENDED, finished_at__lt=before)
    for relation in Job._meta.get_fields(include_hidden=True):
        if isinstance(relation, ForeignObjectRel):
            referring = relation.related_model._base_manager
            ended = ended.exclude(Exists(referring.filter(**{relation.field.name: OuterRef("pk")})))
    return Rows(ended)
