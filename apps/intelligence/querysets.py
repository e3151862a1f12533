"""Reads of what is suggested."""

from __future__ import annotations

from typing import Self

from django.db import models

from apps.core.actors import Actor
from apps.opportunities.models import Opportunity


class SuggestionQuerySet(models.QuerySet):
    """Suggestions, seen by whoever sees the deal."""

    def visible_to(self, actor: Actor) -> Self:
        """Those about deals within reach."""
        return self.filter(opportunity__in=Opportunity.objects.visible_to(actor))

    def standing(self) -> Self:
        """Those that did not end."""
        return self.filter(ended_at=None)

    def undecided(self) -> Self:
        """Those of which nobody made anything yet."""
        return self.standing().filter(decision="")
