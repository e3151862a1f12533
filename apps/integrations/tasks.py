"""Work for the clock."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.core.retention import forget_what_is_due


@shared_task(ignore_result=True)
def forget_what_is_old() -> None:
    """Drop what was sent long ago."""
    forget_what_is_due("integrations", now=timezone.now())
