"""Work for the Celery workers and the clock."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from apps.core.access_log import index_months_that_are_over
from apps.core.jobs import run_job, stalled_jobs
from apps.core.metrics import partition_troubles
from apps.core.partitions import prepare_months, troubles
from apps.core.retention import forget_what_is_due
from apps.core.seals import seal_what_is_written


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
def make_months_ahead() -> None:
    """Give the tables that are kept by month their next months, and tell what is not in order."""
    prepare_months()
    index_months_that_are_over()
    partition_troubles.set(len(troubles()))


@shared_task(ignore_result=True)
def forget_what_is_old() -> None:
    """Drop what the kernel has kept long enough."""
    forget_what_is_due("core", now=timezone.now())


@shared_task(ignore_result=True)
def seal_history() -> None:
    """Seal what has been written once, so that nobody alters it unnoticed."""
    seal_what_is_written()
