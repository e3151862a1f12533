"""Reads of contracts."""

from __future__ import annotations

from typing import Self

from apps.core.querysets import ScopedQuerySet


class ContractQuerySet(ScopedQuerySet):
    """Contracts as salespeople speak of them."""

    def standing(self) -> Self:
        """Those that hold."""
        return self.exclude(status="void")

    def of_deals(self, opportunity_ids: object) -> Self:
        """Those of some deals."""
        return self.filter(opportunity_id__any=opportunity_ids)
