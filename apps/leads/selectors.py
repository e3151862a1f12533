"""Answers about leads that are not rows."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q

from apps.core.accesses import Reading, note_access
from apps.core.actors import Actor
from apps.core.errors import NotFound
from apps.core.permissions import require
from apps.leads.models import Campaign, Lead
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


def campaign_answer(*, campaign_id: str, actor: Actor) -> dict[str, Any]:
    """A campaign as marketing told of it last, with how many of its leads are in which status,
    within the actor's reach.

    One that only leads name is without any facts. Raises NotAllowed, NotFound.
    """
    require(actor, READ_LEAD)
    if "\x00" in campaign_id:
        raise NotFound
    told = Campaign.objects.filter(external_id=campaign_id).order_by("-as_of").first()
    leads = Lead.objects.visible_to(actor).of_campaign(campaign_id)
    counts = dict(leads.values_list("status").annotate(Count("pk")).order_by("status"))
    if told is None and not counts:
        raise NotFound
    return {
        "campaign_id": campaign_id,
        **{name: getattr(told, name, None) for name in _TOLD_OF_CAMPAIGN},
        "leads": {"total": sum(counts.values()), "by_status": counts},
    }


_TOLD_OF_CAMPAIGN = ("name", "channel", "status", "starts_on", "ends_on", "partner", "as_of")


def campaigns_named_by(system: str, *, after: str, limit: int, actor: Actor) -> list[str]:
    """The next campaigns that leads of a source within reach name, in their order."""
    named = Lead.objects.visible_to(actor).unmerged().exclude(campaign_id="")
    named = named.filter(external_source=system, campaign_id__gt=after)
    ids = named.order_by("campaign_id").values_list("campaign_id", flat=True)
    return list(ids.distinct()[:limit])


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
