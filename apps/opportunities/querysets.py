"""Reads of opportunities."""

from __future__ import annotations

from typing import Self

from django.db.models import Q

from apps.core.querysets import ScopedQuerySet


class OpportunityQuerySet(ScopedQuerySet):
    """Opportunities as salespeople speak of them."""

    def open(self) -> Self:
        """Those being worked."""
        return self.filter(kind="open")

    def won(self) -> Self:
        """Those that were sold."""
        return self.filter(kind="won")

    def lost(self) -> Self:
        """Those that came to nothing."""
        return self.filter(kind="lost")

    def of_account(self, account_id: object) -> Self:
        """Those of one customer company."""
        return self.filter(account_id=account_id)

    def in_bin(self) -> Self:
        """Those that were deleted; to be asked of `with_bin()`."""
        return self.filter(~Q(deleted_at=None))
