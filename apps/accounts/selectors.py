"""Answers about accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db.models import Count

from apps.accounts.models import Account


def accounts_held(user_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """How many accounts each of some people looks after."""
    held = Account.objects.filter(owner_id__any=list(user_ids)).values_list("owner_id")
    return dict(held.annotate(Count("pk")).order_by())
