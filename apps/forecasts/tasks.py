"""Work for the clock."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.core.actors import system_actor
from apps.core.retention import forget_what_is_due
from apps.forecasts.services.finance import issue_due_reports
from apps.forecasts.services.nightly import request_nightly_forecast


@shared_task(ignore_result=True)
def compute_nightly_forecasts() -> None:
    """Have the night's forecasts computed; every further call on the same day is harmless."""
    request_nightly_forecast(now=timezone.now(), actor=system_actor(door="clock"))


@shared_task(ignore_result=True)
def issue_finance_reports() -> None:
    """Tell finance of what ended; every further call is harmless."""
    issue_due_reports(now=timezone.now(), actor=system_actor(door="clock"))


@shared_task(ignore_result=True)
def forget_what_is_old() -> None:
    """Drop the forecasts that have been kept long enough."""
    forget_what_is_due("forecasts", now=timezone.now())
