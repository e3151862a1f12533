"""What somebody was let in with, and how long that lasts."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from apps.users.models import SignIn, User
from apps.users.selectors import forget_standings


def end_everything(user: User, *, because: str) -> None:
    """End all sign-ins, tokens and sessions of a person whose row is locked, for them to come anew.

    In the caller's transaction, which saves the row.
    """
    user.token_version += 1
    SignIn.objects.filter(user=user, ended_at=None).update(
        ended_at=timezone.now(), ended_because=because
    )
    transaction.on_commit(forget_standings)
