"""Reads of what is suggested."""

from __future__ import annotations

from typing import Any, Self

from django.contrib.postgres.expressions import ArraySubquery
from django.db import models
from django.db.models import Exists, OuterRef, Q

from apps.core.actors import Actor
from apps.leads.models import Lead
from apps.leads.permissions import READ_LEAD
from apps.opportunities.models import Opportunity


def _seen_by(actor: Actor) -> list[tuple[str, models.QuerySet[Any]]]:
    """The deals that somebody sees, and the leads of whoever may see these."""
    found: list[tuple[str, models.QuerySet[Any]]] = [
        ("opportunity", Opportunity.objects.visible_to(actor))
    ]
    if actor.may(READ_LEAD):
        found.append(("lead", Lead.objects.visible_to(actor)))
    return found


class SuggestionQuerySet(models.QuerySet):
    """Suggestions, seen by whoever sees the deal or lead."""

    def visible_to(self, actor: Actor) -> Self:
        """Those about deals within reach, and about leads for whoever may see these.

        Whoever does not see everything sees few: those are found from the deals and leads.
        """
        if actor.reach.everything:
            return self.visible_by_key(actor)
        found = [
            self.model._default_manager.filter(**{f"{name}__in": rows}).values("pk")
            for name, rows in _seen_by(actor)
        ]
        return self.filter(pk__any=ArraySubquery(found[0].union(*found[1:], all=True)))

    def visible_by_key(self, actor: Actor) -> Self:
        """The same for what is found by its key."""
        within = Q()
        for name, rows in _seen_by(actor):
            within |= Q(Exists(rows.filter(pk=OuterRef(name))))
        return self.filter(within)

    def standing(self) -> Self:
        """Those that did not end."""
        return self.filter(ended_at=None)

    def undecided(self) -> Self:
        """Those of which nobody made anything yet."""
        return self.standing().filter(decision="")
