"""A lead's way: new → contacted → qualified | unqualified, and back by reopening.

Converted is reached only by conversion (sales-system-architecture, Lead Schema).
"""

from __future__ import annotations

from collections.abc import Mapping

MOVES: Mapping[str, tuple[str, ...]] = {
    "new": ("contacted", "qualified", "unqualified"),
    "contacted": ("qualified", "unqualified"),
    "qualified": ("unqualified",),
    "unqualified": ("new",),
    "converted": (),
}


def allowed_statuses(current: str) -> list[str]:
    """Where a lead can go from a status."""
    return list(MOVES[current])


def missing_for_qualification(*, company: str, last_name: str) -> list[str]:
    """The facts that a lead worth selling to must have."""
    return [name for name, value in (("company", company), ("last_name", last_name)) if not value]
