"""A task that is shown a lead."""

from __future__ import annotations

from celery import shared_task

from apps.core.actors import system_actor
from apps.core.rows.listing import Query
from apps.leads.fields import LEADS


@shared_task
def read_leads(request_id: str) -> int:
    """How many leads were read."""
    actor = system_actor(door="job", request_id=request_id)
    return len(LEADS.page(actor, Query(), count=False).rows)
