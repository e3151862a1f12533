"""Reads of activities."""

from __future__ import annotations

from typing import Self

from apps.core.actors import Actor
from apps.core.querysets import ScopedQuerySet


class ActivityQuerySet(ScopedQuerySet):
    """Activities as salespeople speak of them: seen by whoever sees what they are about."""

    def visible_to(self, actor: Actor) -> Self:
        """Those within the actor's reach, unless what they are about lies in the bin."""
        return super().visible_to(actor).filter(subject_in_bin=False)
