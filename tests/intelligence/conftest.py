"""What tests of intelligence start from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apps.core.actors import Actor
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.intelligence.models import ScoreModel
from apps.intelligence.services.training import train_score


@pytest.fixture
def learn(system: Actor) -> Callable[[str], ScoreModel]:
    """Has a score learned to the end; returns what came of it."""

    def run(subject: str) -> ScoreModel:
        job = train_score(subject=subject, actor=system)
        run_job(job.pk)
        job.refresh_from_db()
        assert job.status == Job.Status.COMPLETED, job.message
        found: Any = ScoreModel.objects.get(job=job)
        return found

    return run
