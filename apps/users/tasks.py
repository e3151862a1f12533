"""What the clock does about sign-ins."""

from __future__ import annotations

from celery import shared_task

from apps.core.actors import system_actor
from apps.users.services.sign_ins import forget_old_sign_ins


@shared_task
def forget_what_is_over() -> None:
    """Each night: sign-ins, sessions and failures that nobody can go on with."""
    forget_old_sign_ins(actor=system_actor(door="clock"))
