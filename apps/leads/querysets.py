"""Reads of leads."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Self

from django.utils import timezone

from apps.core.querysets import ScopedQuerySet

OPEN_STATUSES = ("new", "contacted", "qualified")


class LeadQuerySet(ScopedQuerySet):
    """Leads as salespeople speak of them."""

    def open(self) -> Self:
        """Those that may still become an opportunity."""
        return self.filter(status__in=OPEN_STATUSES, merged_into=None)

    def unrouted(self) -> Self:
        """Those that no territory claimed and nobody owns."""
        return self.open().filter(owner=None, territory=None)

    def unmerged(self) -> Self:
        """Those that were not folded into another lead."""
        return self.filter(merged_into=None)

    def from_origins(self, origins: Iterable[tuple[str, str]]) -> Self:
        """Those with one of these source systems and one of these external ids."""
        sources, external_ids = zip(*origins, strict=True)
        # Stated as the index states it: of a long list PostgreSQL does not see that none is empty.
        return self.exclude(external_id="").filter(
            external_source__in=set(sources), external_id__in=set(external_ids)
        )

    def of_campaign(self, campaign_id: str) -> Self:
        """Those that a campaign of marketing's brought."""
        # Stated as the index states it.
        return self.unmerged().exclude(campaign_id="").filter(campaign_id=campaign_id)

    def older_than(self, *, days: int) -> Self:
        """Those captured more than so many days ago."""
        return self.filter(created_at__lt=timezone.now() - timedelta(days=days))
