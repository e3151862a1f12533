"""Work for the clock."""

from __future__ import annotations

from celery import shared_task

from apps.core.actors import system_actor
from apps.quotas.services.activities import count_activities


@shared_task(ignore_result=True)
def count_moved_activities() -> None:
    """Count the activities that moved along with their deals, leads and accounts."""
    count_activities(actor=system_actor(door="clock"))
