"""Reads of tickets, escalations and feature requests."""

from __future__ import annotations

from typing import Self

from apps.accounts.querysets import OfAccountQuerySet


class CaseQuerySet(OfAccountQuerySet):
    """Cases as salespeople speak of them."""

    def active(self) -> Self:
        """Those that are still going on."""
        return self.filter(ended_at=None)

    def critical(self) -> Self:
        """Tickets that can't wait."""
        return self.active().filter(kind="ticket", severity="critical")
