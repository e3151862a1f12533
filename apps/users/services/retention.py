"""What is forgotten about sign-ins once they are over."""

from __future__ import annotations

from datetime import datetime

from django.contrib.sessions.models import Session
from django.db.models import Q

from apps.core.retention import Due, Rows, forgets
from apps.users.models import FailedSignIns, SignIn


@forgets("users.sign_ins", "Sign-ins with tokens that have ended or expired", days=30)
def old_sign_ins(before: datetime) -> Due:
    """Sign-ins whose tokens have long stopped working."""
    return Rows(SignIn.objects.filter(Q(ended_at__lt=before) | Q(expires_at__lt=before)))


@forgets("users.sessions", "Sessions of the back office that have expired", days=1)
def old_sessions(before: datetime) -> Due:
    """Sessions that nobody can go on with."""
    return Rows(Session.objects.filter(expire_date__lt=before))


@forgets("users.failed_sign_ins", "Failed sign-ins, counted by account and address", days=1)
def old_failures(before: datetime) -> Due:
    """Failures that hold nobody up any more."""
    return Rows(FailedSignIns.objects.filter(updated_at__lt=before))
