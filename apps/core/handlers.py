"""Events the kernel listens to."""

from __future__ import annotations

from collections.abc import Sequence

from apps.core.jobs import JobRequested
from apps.core.journal import Recorded, on
from apps.core.tasks import work_on_job


@on(JobRequested)
def start_job(happened: Sequence[Recorded]) -> None:
    """Hand requested jobs to the workers. Hearing it twice is harmless: a job runs once."""
    for one in happened:
        work_on_job.delay(str(one.event.job_id))
