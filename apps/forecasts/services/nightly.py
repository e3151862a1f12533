"""The nightly run: forecasts computed, how good earlier ones were, and who is told of it."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date, datetime
from typing import Any
from uuid import UUID

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
from apps.forecasts.services.facts import begin_computing, note_past
from apps.forecasts.services.reports import send_report, who_gets_a_report

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
    parameters = {
        "periods": [one.key for one in periods_open_at(now)],
        "day": day.isoformat(),
        "readers": [str(one) for one in who_gets_a_report()],
    }
    try:
        with transaction.atomic():
            job = request_job(
                NIGHTLY_JOB, parameters=parameters, total=_parts(parameters), actor=actor
            )
            return NightlyRun.objects.create(day=day, job=job)
    except IntegrityError:
        return NightlyRun.objects.get(day=day)


def _parts(parameters: dict[str, Any]) -> int:
    """Its periods, how good earlier forecasts were, and whoever is told of it."""
    return len(parameters["periods"]) + 1 + len(parameters["readers"])


@runs(NIGHTLY_JOB)
def start_nightly_forecast(job: Job, resources: ExitStack) -> Step:
    """Compute the forecasts of a night, one period after the other, then look back at what was
    closed and how good earlier ones were; then tell everybody who wants to know."""
    keys, readers = job.parameters["periods"], job.parameters["readers"]

    def next_part(job: Job) -> bool:
        actor, now = actor_of_job(job), timezone.now()
        if job.position < len(keys):
            period = period_named(keys[job.position])
            job.succeeded += compute_forecasts(actor=actor, kind=Occasion.NIGHTLY, periods=[period])
        elif job.position == len(keys):
            note_past(begin_computing())
            measure_accuracy(now=now, actor=actor)
        else:
            reader = readers[job.position - len(keys) - 1]
            day = date.fromisoformat(job.parameters["day"])
            if not send_report(user_id=UUID(reader), day=day, now=now, actor=actor):
                job.note_error({"user_id": reader, "message": "The report could not be sent."})
        job.position += 1
        return job.position < _parts(job.parameters)

    return next_part
