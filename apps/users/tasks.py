"""Work for the clock."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.core.retention import forget_what_is_due


@shared_task(ignore_result=True)
def forget_what_is_old() -> None:
    """Drop the sign-ins that have been over long enough."""
    forget_what_is_due("users", now=timezone.now())
