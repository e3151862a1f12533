"""Work for the clock."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.core.actors import system_actor
from apps.core.retention import forget_what_is_due
from apps.integrations.services.inbox import handle_due
from apps.integrations.services.pulling import pull_from_partners


@shared_task(ignore_result=True)
def handle_due_messages() -> None:
    """Handle what partners said and could not be handled before."""
    handle_due(actor=system_actor(door="clock"))


@shared_task(ignore_result=True)
def pull() -> None:
    """Ask partners what they know by now."""
    pull_from_partners(actor=system_actor(door="clock"))


@shared_task(ignore_result=True)
def forget_what_is_old() -> None:
    """Drop what partners said, and what was sent, long ago."""
    forget_what_is_due("integrations", now=timezone.now())
