"""Reads of opportunities."""

from __future__ import annotations

from collections.abc import Iterable
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

    def from_origins(self, origins: Iterable[tuple[str, str]]) -> Self:
        """Those with one of these source systems and one of these ids there."""
        sources, external_ids = zip(*origins, strict=True)
        # Stated as the index states it: of a long list PostgreSQL does not see that none is empty.
        return self.exclude(external_id="").filter(
            external_source__in=set(sources), external_id__in=set(external_ids)
        )

    def in_bin(self) -> Self:
        """Those that were deleted; to be asked of `with_bin()`."""
        return self.filter(~Q(deleted_at=None))
