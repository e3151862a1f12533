"""Reads of accounts and contacts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import orjson
from django.db import models
from django.db.models import Q

from apps.core.actors import Actor
from apps.core.querysets import ScopedQuerySet


@models.JSONField.register_lookup
class HoldsAny(models.Lookup):
    """`external_ids__holds_any=[{"crm": "7"}, …]`: rows that hold one of many, by the index."""

    lookup_name = "holds_any"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, parameters = self.process_lhs(compiler, connection)
        wanted = [orjson.dumps(one).decode() for one in self.rhs]
        return f"{left} @> ANY(%s::jsonb[])", (*parameters, wanted)


class AccountQuerySet(ScopedQuerySet):
    """Reads of accounts."""

    def with_domain(self, domain: str) -> Self:
        """Those with this normalised domain."""
        return self.filter(domain=domain)

    def named(self, account_key: str) -> Self:
        """Those with this folded name."""
        return self.filter(account_key=account_key)

    def with_external_ids(self, pairs: Iterable[tuple[str, str]]) -> Self:
        """Those with one of these ids, each in its system."""
        return self.filter(external_ids__holds_any=[{system: one} for system, one in pairs])

    def in_bin(self) -> Self:
        """Those that were deleted; to be asked of `with_bin()`."""
        return self.exclude(deleted_at=None)


class OfAccountQuerySet(models.QuerySet):
    """Rows of accounts: seen by whoever sees their account."""

    def visible_to(self, actor: Actor) -> Self:
        """The rows of accounts within the actor's reach."""
        of_accounts = self.filter(account__deleted_at=None)
        reach = actor.reach
        if reach.everything:
            return of_accounts
        return of_accounts.filter(
            Q(account__owner_id__any=reach.user_ids)
            | Q(account__territory_id__any=reach.territory_ids)
        )


class ContactQuerySet(OfAccountQuerySet):
    """Reads of contacts."""

    def in_bin(self) -> Self:
        """Those that were removed; to be asked of `with_bin()`."""
        return self.exclude(deleted_at=None)
