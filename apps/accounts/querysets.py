"""Reads of accounts and contacts."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q

from apps.core.actors import Actor
from apps.core.querysets import ScopedQuerySet


class AccountQuerySet(ScopedQuerySet):
    """Reads of accounts."""

    def with_domain(self, domain: str) -> Self:
        """Those with this normalised domain."""
        return self.filter(domain=domain)

    def named(self, account_key: str) -> Self:
        """Those with this folded name."""
        return self.filter(account_key=account_key)

    def in_bin(self) -> Self:
        """Those that were deleted; to be asked of `with_bin()`."""
        return self.exclude(deleted_at=None)


class ContactQuerySet(models.QuerySet):
    """Reads of contacts: seen by whoever sees their account."""

    def visible_to(self, actor: Actor) -> Self:
        """The contacts of accounts within the actor's reach."""
        of_accounts = self.filter(account__deleted_at=None)
        reach = actor.reach
        if reach.everything:
            return of_accounts
        return of_accounts.filter(
            Q(account__owner_id__any=reach.user_ids)
            | Q(account__territory_id__any=reach.territory_ids)
        )
