"""Answers about leads that are not rows."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from apps.core.accesses import Reading, note_access
from apps.core.actors import Actor
from apps.core.errors import NotFound
from apps.core.permissions import require
from apps.leads.models import Lead
from apps.leads.permissions import READ_LEAD
from apps.leads.querysets import OPEN_STATUSES

MOST_HINTS = 50
MOST_CANDIDATES = 500
ALIKE = 0.85


# `Lead.objects.open()`, as every capture asks where work goes to the least loaded.
_OPEN_COUNTS = f"""
SELECT owner_id, count(*) FROM leads_lead
WHERE owner_id = ANY(%s) AND deleted_at IS NULL AND merged_into_id IS NULL
  AND status IN ({", ".join(f"'{status}'" for status in OPEN_STATUSES)})
GROUP BY owner_id
"""


def open_lead_counts(user_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many open leads each of these people has; people without any are left out."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_COUNTS, [list(user_ids)])
        return dict(cursor.fetchall())


def lead_score(*, lead_id: UUID, actor: Actor) -> dict[str, Any]:
    """A lead's score with the reasons for it. Raises NotAllowed, NotFound."""
    lead = _visible(lead_id, actor)
    return {
        "lead_id": lead.pk,
        "score": lead.score,
        "marketing_score": lead.marketing_score,
        "source": lead.score_source,
        "version": lead.score_version,
        "scored_at": lead.scored_at,
        "reasons": lead.score_reasons,
    }


def lead_duplicates(*, lead_id: UUID, actor: Actor) -> dict[str, Any]:
    """Leads that may be the same person: same phone, or same company and a like name.

    Those out of reach are only counted. Raises NotAllowed, NotFound.
    """
    lead = _visible(lead_id, actor)
    same = Q(email_key=lead.email_key)
    if lead.phone_key:
        same |= Q(phone_key=lead.phone_key)
    if lead.company_key and lead.last_name:
        same |= Q(company_key=lead.company_key)
    candidates = Lead.objects.unmerged().filter(same).exclude(pk=lead.pk)[:MOST_CANDIDATES]
    hints = [one for one in candidates if _why(lead, one)][:MOST_HINTS]
    visible = [
        one
        for one in hints
        if actor.reach.includes(owner_id=one.owner_id, territory_id=one.territory_id)
    ]
    note_access(actor, Lead, [one.pk for one in visible], Reading.LISTED)
    return {
        "data": [{"id": one.pk, "why": _why(lead, one)} for one in visible],
        "elsewhere": len(hints) - len(visible),
    }


def _why(lead: Lead, other: Lead) -> str:
    if lead.email_key == other.email_key:
        return "same e-mail"
    if lead.phone_key and lead.phone_key == other.phone_key:
        return "same phone number"
    if lead.last_name.casefold() == other.last_name.casefold():
        return "same company and last name"
    likeness = SequenceMatcher(None, lead.name.casefold(), other.name.casefold()).ratio()
    return "similar name at the same company" if likeness >= ALIKE else ""


def _visible(lead_id: UUID, actor: Actor) -> Lead:
    require(actor, READ_LEAD)
    lead: Lead | None = Lead.objects.visible_to(actor).unmerged().filter(pk=lead_id).first()
    if lead is None:
        raise NotFound
    note_access(actor, Lead, [lead.pk], Reading.SHOWN)
    return lead
