"""Reads of tickets, escalations and feature requests."""

from __future__ import annotations

from typing import Self

from django.db.models import Case, When

from apps.accounts.querysets import OfAccountQuerySet

WORST = ("critical", "high", "medium", "low")


class CaseQuerySet(OfAccountQuerySet):
    """Cases as salespeople speak of them."""

    def active(self) -> Self:
        """Those that are still going on."""
        return self.filter(ended_at=None)

    def trouble(self) -> Self:
        """Tickets and escalations that are going on, the worst first."""
        worst = Case(*(When(severity=one, then=place) for place, one in enumerate(WORST)))
        found = self.active().exclude(kind="feature_request")
        return found.order_by(worst, "-opened_at", "-pk")

    def critical(self) -> Self:
        """Tickets that can't wait."""
        return self.active().filter(kind="ticket", severity="critical")
