"""Reads of what is suggested."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q

from apps.core.actors import Actor
from apps.leads.models import Lead
from apps.leads.permissions import READ_LEAD
from apps.opportunities.models import Opportunity


class SuggestionQuerySet(models.QuerySet):
    """Suggestions, seen by whoever sees the deal or lead."""

    def visible_to(self, actor: Actor) -> Self:
        """Those about deals within reach, and about leads for whoever may see these."""
        within = Q(opportunity__in=Opportunity.objects.visible_to(actor))
        if actor.may(READ_LEAD):
            within |= Q(lead__in=Lead.objects.visible_to(actor))
        return self.filter(within)

    def standing(self) -> Self:
        """Those that did not end."""
        return self.filter(ended_at=None)

    def undecided(self) -> Self:
        """Those of which nobody made anything yet."""
        return self.standing().filter(decision="")
