"""Work for the Celery workers and the clock."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from apps.core.idempotency import forget_old_keys
from apps.core.jobs import run_job, stalled_jobs


@shared_task(acks_late=True, ignore_result=True)
def work_on_job(job_id: str) -> None:
    """Run a job until it ends."""
    run_job(UUID(job_id))


@shared_task(ignore_result=True)
def resume_stalled_jobs() -> None:
    """Give jobs whose worker was killed to another one."""
    for job_id in stalled_jobs():
        work_on_job.delay(str(job_id))


@shared_task(ignore_result=True)
def forget_old_idempotency_keys() -> None:
    """Drop the keys of POSTs that no client repeats any more."""
    forget_old_keys()
