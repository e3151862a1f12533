"""The nightly run: forecasts computed, how good earlier ones were, and who is told of it."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.jobs import Step, actor_of_job, request_job, runs
from apps.core.models import Job
from apps.core.periods import organisation_day
from apps.core.permissions import require
from apps.forecasts.models import NightlyRun
from apps.forecasts.permissions import COMPUTE_FORECAST
from apps.forecasts.rules import Occasion
from apps.forecasts.selectors.nodes import period_named, periods_open_at
from apps.forecasts.services.accuracy import measure_accuracy
from apps.forecasts.services.computation import compute_forecasts

NIGHTLY_JOB = "forecasts.nightly"


@command
def request_nightly_forecast(*, now: datetime, actor: Actor) -> NightlyRun:
    """Have the forecasts of the open periods computed, once a day where the organisation is.

    Whoever asks again on the same day gets the run that there is. Raises NotAllowed.
    """
    require(actor, COMPUTE_FORECAST)
    day = organisation_day(now)
    known = NightlyRun.objects.filter(day=day).first()
    if known is not None:
        return known
    keys = [one.key for one in periods_open_at(now)]
    try:
        with transaction.atomic():
            job = request_job(
                NIGHTLY_JOB, parameters={"periods": keys}, total=len(keys) + 1, actor=actor
            )
            return NightlyRun.objects.create(day=day, job=job)
    except IntegrityError:
        return NightlyRun.objects.get(day=day)


@runs(NIGHTLY_JOB)
def start_nightly_forecast(job: Job, resources: ExitStack) -> Step:
    """Compute the forecasts of a night, one period after the other, then how good earlier ones
    were."""
    keys = job.parameters["periods"]

    def next_part(job: Job) -> bool:
        actor = actor_of_job(job)
        if job.position < len(keys):
            period = period_named(keys[job.position])
            job.succeeded += compute_forecasts(actor=actor, kind=Occasion.NIGHTLY, periods=[period])
        else:
            measure_accuracy(now=timezone.now(), actor=actor)
        job.position += 1
        return job.position <= len(keys)

    return next_part
