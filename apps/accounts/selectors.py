"""Answers about accounts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count

from apps.accounts.models import Account, AccountAssignment
from apps.core.actors import Actor


def accounts_held(user_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """How many accounts each of some people looks after."""
    held = Account.objects.filter(owner_id__any=list(user_ids)).values_list("owner_id")
    return dict(held.annotate(Count("pk")).order_by())


def accounts_known_at(
    system: str, *, after: UUID, limit: int, actor: Actor
) -> list[tuple[UUID, str]]:
    """The next accounts within reach that another system keeps too, in the order of their ids, each
    with its id there.
    """
    known = Account.objects.visible_to(actor).filter(external_ids__has_key=system, pk__gt=after)
    rows = known.order_by("pk").values_list("pk", "external_ids")[:limit]
    return [(account_id, str(ids[system])) for account_id, ids in rows]


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
