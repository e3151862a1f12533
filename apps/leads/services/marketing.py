"""What marketing knows of a lead, taken over: the newest counts, and people's own words stay."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.contact_points import email_key
from apps.core.journal import publish
from apps.core.loading import update_rows
from apps.core.permissions import require
from apps.leads.errors import DuplicateLead
from apps.leads.events import LeadUpdated
from apps.leads.models import Lead
from apps.leads.permissions import WRITE_LEAD
from apps.leads.rules.facts import check_changes, check_facts
from apps.leads.services.capture import FOLLOWING, capture, put_changes
from apps.leads.services.lifecycle import lock_lead

# Marketing's own: the newest message wins. Whatever else it says only fills what is empty.
MARKETING_FACTS = ("marketing_score", "campaign_id", "attribution")


def take_qualified_lead(
    *, external_id: str, as_of: datetime, actor: Actor, system: str = "marketing", **facts: Any
) -> tuple[Lead, bool]:
    """Take in a lead that marketing qualified (sales-system-integrations, Marketing System).

    It is known by marketing's id, else by the e-mail address of an open lead; else it is captured:
    scored, routed and assigned.

    Args:
        external_id: its id at marketing.
        as_of: when this was true; what is older than what is known changes nothing.
        actor: needs `lead:write`.
        system: whose id that is.
        facts: as in `rules.facts.WRITABLE`.

    Returns:
        The lead, and whether it is new.

    Raises:
        NotAllowed, InvalidInput; DuplicateLead when the lead is out of reach.
    """
    try:
        return _take(external_id, as_of, actor, system, facts)
    except IntegrityError:
        # Somebody captured the same person between our look and our write: look again.
        return _take(external_id, as_of, actor, system, facts)


@command
def _take(
    external_id: str, as_of: datetime, actor: Actor, system: str, facts: Mapping[str, Any]
) -> tuple[Lead, bool]:
    require(actor, WRITE_LEAD)
    known = {**facts, "external_source": system, "external_id": external_id}
    checked = check_facts(known, country=settings.DEFAULT_COUNTRY)
    found = _known_as(system, external_id) or _open_with(str(facts["email"]))
    if found is not None:
        if not actor.reach.includes(owner_id=found.owner_id, territory_id=found.territory_id):
            raise DuplicateLead.elsewhere()
        return _take_over(lock_lead(found.pk, actor=actor), as_of, known, actor), False
    (lead,) = capture([checked], actor=actor)
    lead.marketing_as_of = as_of
    update_rows([lead], ("marketing_as_of",))
    return lead, True


def _known_as(system: str, external_id: str) -> Lead | None:
    """The lead that has this id there, or the one it was folded into."""
    of_origin = Lead.objects.filter(external_source=system, external_id=external_id)
    # Descending, PostgreSQL puts what was not folded into another first.
    lead: Lead | None = of_origin.order_by("-merged_into_id").first()
    while lead is not None and lead.merged_into_id is not None:
        lead = Lead.objects.filter(pk=lead.merged_into_id).first()
    return lead


def _open_with(email: str) -> Lead | None:
    found: Lead | None = Lead.objects.open().filter(email_key=email_key(email)).first()
    return found


@command
def sync_lead(*, lead_id: UUID, as_of: datetime, actor: Actor, **facts: Any) -> Lead:
    """Take over what marketing knows of a lead by now; what is older than that changes nothing.

    Args:
        lead_id: of a lead within reach.
        as_of: when this was true.
        actor: needs `lead:write`.
        facts: as in `rules.facts.WRITABLE`.

    Raises:
        NotFound, NotAllowed, InvalidInput.
    """
    lead = lock_lead(lead_id, actor=actor)
    require(actor, WRITE_LEAD)
    return _take_over(lead, as_of, facts, actor)


def _take_over(lead: Lead, as_of: datetime, facts: Mapping[str, Any], actor: Actor) -> Lead:
    """Put what is newer on a locked lead, and tell."""
    checked = check_changes(facts, country=settings.DEFAULT_COUNTRY)
    if lead.marketing_as_of is not None and as_of <= lead.marketing_as_of:
        return lead
    taken = {
        name: value
        for name, value in facts.items()
        if name in MARKETING_FACTS or getattr(lead, name) in ("", None)
    }
    if lead.external_id:
        taken = {one: taken[one] for one in taken if not one.startswith("external_")}
    kept = {name: checked[name] for name in checked if name.removesuffix("_key") in taken}
    changed = put_changes(lead, kept)
    lead.marketing_as_of = as_of
    lead.updated_at = timezone.now()
    update_rows([lead], (*changed, *FOLLOWING, "marketing_as_of"))
    if changed:
        publish(LeadUpdated(lead_id=lead.pk, changed=tuple(changed)), actor=actor)
    return lead
