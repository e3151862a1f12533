"""Lead conversion: an account, a contact and a deal come of a lead, all or nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings

from apps.accounts.errors import AccountDomainTaken
from apps.accounts.models import Account, Contact
from apps.accounts.services.accounts import match_account, open_account
from apps.accounts.services.contacts import add_contact
from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.contact_points import normalised_phone
from apps.core.permissions import require
from apps.core.places import country_code
from apps.leads.errors import LeadAlreadyConverted, LeadNotReady
from apps.leads.models import Lead
from apps.leads.services.lifecycle import lock_for_conversion, mark_lead_converted
from apps.opportunities.metrics import conversions_refused, counting_failures, leads_converted
from apps.opportunities.models import Opportunity, OpportunityAssignment
from apps.opportunities.permissions import WRITE_OPPORTUNITY
from apps.opportunities.rules import company_domain
from apps.opportunities.services.facts import account_within_reach
from apps.opportunities.services.openings import open_deal, owner_of_new


@counting_failures(conversions_refused)
@command
def convert_lead(
    *,
    lead_id: UUID,
    actor: Actor,
    opportunity_name: str = "",
    account_id: UUID | None = None,
    owner_id: UUID | None = None,
    **facts: Any,
) -> Opportunity:
    """Make a lead a deal of an account, with its person as a contact there.

    Args:
        lead_id: of a lead within reach.
        actor: needs `lead:write`, `opportunity:write` and `account:write`.
        opportunity_name: without it, the account's.
        account_id: the customer; without it the one the lead's domain or company names, opened
            if there is none.
        owner_id: whose deal it is to be; without it the lead's owner's.
        facts: as `open_deal` takes them (sales-system-integrations, Convert Lead to Opportunity).

    Raises:
        NotFound, NotAllowed, LeadAlreadyConverted with the `opportunity_id` if it is within
        reach, LeadMoveNotAllowed, LeadNotReady, InvalidInput, AccountElsewhere.
    """
    lead = _lead_in_hand(lead_id, actor)
    require(actor, WRITE_OPPORTUNITY)
    account = (
        account_within_reach(account_id, actor) if account_id else _matched_account(lead, actor)
    )
    owner_id = owner_of_new(stated=owner_id, actor=actor, account=account, lead=lead)
    account = account or _opened_account(lead, owner_id, actor)
    contact = _contact_at(account, lead, actor)
    deal = open_deal(
        account=account,
        owner_id=owner_id,
        lead=lead,
        name=opportunity_name or account.name,
        actor=actor,
        **facts,
    )
    mark_lead_converted(
        lead,
        opportunity_id=deal.pk,
        account_id=account.pk,
        contact_id=contact.pk,
        actor=actor,
    )
    leads_converted.labels(door=actor.door).inc()
    return deal


def _lead_in_hand(lead_id: UUID, actor: Actor) -> Lead:
    """The lead, locked; a converted one names its deal only to somebody who may see that."""
    try:
        return lock_for_conversion(lead_id=lead_id, actor=actor)
    except LeadAlreadyConverted as refusal:
        opportunity_id = refusal.details["opportunity_id"]
        if Opportunity.objects.visible_to(actor).filter(pk=opportunity_id).exists():
            raise
        raise LeadAlreadyConverted from None


def _matched_account(lead: Lead, actor: Actor) -> Account | None:
    return match_account(name=lead.company, domain=company_domain(lead.email), actor=actor)


def _opened_account(lead: Lead, owner_id: UUID, actor: Actor) -> Account:
    name = lead.company or lead.name
    if not name:
        raise LeadNotReady("Complete company first.", fields=["company"])
    try:
        return open_account(
            name=name,
            domain=company_domain(lead.email),
            owner_id=owner_id,
            territory_id=_live_territory(lead),
            cause=OpportunityAssignment.Cause.CONVERSION,
            actor=actor,
            **_firmographics(lead),
        )
    except AccountDomainTaken:
        # A colleague has just converted another lead of the same company.
        account = _matched_account(lead, actor)
        if account is None:
            raise
        return account


def _live_territory(lead: Lead) -> UUID | None:
    """The lead's territory, unless it was switched off: then the account is routed anew."""
    territory = lead.territory
    return territory.pk if territory is not None and territory.is_active else None


def _firmographics(lead: Lead) -> dict[str, Any]:
    """What a lead knows about its company, as an account keeps it."""
    known = {
        "industry": lead.industry,
        "employee_count": lead.employee_count,
        "annual_revenue": lead.annual_revenue,
        "currency": lead.currency,
        "country": country_code(lead.country),
        "state": lead.state,
        "city": lead.city,
        "postal_code": lead.postal_code,
    }
    return {name: value for name, value in known.items() if value not in ("", None)}


def _contact_at(account: Account, lead: Lead, actor: Actor) -> Contact:
    """The lead's person at the account: the one with the same address, or a new one."""
    people = account.contacts.all()
    known: Contact | None = people.filter(email_key=lead.email_key).order_by("created_at").first()
    if known is not None:
        return known
    has_primary = people.filter(type=Contact.Type.PRIMARY).exists()
    return add_contact(
        account_id=account.pk,
        type=Contact.Type.OTHER if has_primary else Contact.Type.PRIMARY,
        name=lead.name or account.name,
        email=lead.email,
        phone=normalised_phone(lead.phone, country_code(lead.country) or settings.DEFAULT_COUNTRY),
        title=lead.title,
        data_key=lead.data_key,
        actor=actor,
    )
