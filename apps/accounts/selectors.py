"""Answers about accounts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count

from apps.accounts.models import Account, AccountAssignment


def accounts_held(user_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """How many accounts each of some people looks after."""
    held = Account.objects.filter(owner_id__any=list(user_ids)).values_list("owner_id")
    return dict(held.annotate(Count("pk")).order_by())


def accounts_in_use(ids: Collection[UUID]) -> set[UUID]:
    """Those of some accounts that something refers to: a contact, a daughter, a deal."""
    used: set[UUID] = set()
    for relation in Account._meta.related_objects:
        model: Any = relation.related_model
        column = relation.field.attname
        if model is not AccountAssignment:
            referring = model._default_manager.filter(**{f"{column}__in": ids})
            used.update(referring.values_list(column, flat=True))
    return used
