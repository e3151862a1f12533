"""What an activity is about: found within reach, locked, and agreeing with each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.accounts.models import Account, Contact
from apps.accounts.services.accounts import account_in_hand
from apps.core.actors import Actor
from apps.core.errors import InvalidInput, NotFound
from apps.core.models import DataKey
from apps.leads.models import Lead
from apps.leads.services.lifecycle import lock_lead
from apps.opportunities.models import Opportunity


@dataclass(frozen=True)
class About:
    """The rows an activity is about."""

    lead: Lead | None
    account_id: UUID | None
    contact: Contact | None
    deal: Opportunity | None
    account: Account | None

    @property
    def place(self) -> Lead | Account | Opportunity:
        """What decides who sees it: the deal, else the lead, else the account."""
        found = self.deal or self.lead or self.account
        if found is None:
            raise InvalidInput(
                "Name a lead, an opportunity, an account or a contact.",
                reason="activity_about_nothing",
            )
        return found

    @property
    def data_key(self) -> DataKey | None:
        """The key of the person it is about, if there is one."""
        person: Any = self.contact or self.lead
        return None if person is None else person.data_key


def lock_subjects(
    *,
    lead_id: UUID | None,
    account_id: UUID | None,
    contact_id: UUID | None,
    opportunity_id: UUID | None,
    actor: Actor,
) -> About:
    """What an activity is about, each within reach and locked, in the order of all locks.

    While they are locked nobody hands them over, so that what is copied from them stays true. A
    deal and a contact name their account. Raises NotFound, InvalidInput.
    """
    lead = lock_lead(lead_id, actor=actor) if lead_id else None
    account = contact = None
    if contact_id:
        account, contact = _lock_contact(contact_id, actor=actor)
    elif account_id and not opportunity_id:
        account = account_in_hand(account_id, actor=actor)
    deal = _lock_deal(opportunity_id, actor=actor) if opportunity_id else None
    named = {one for one in (account_id, _account_of(contact), _account_of(deal)) if one}
    if len(named) > 1:
        raise InvalidInput(
            "The account, the contact and the opportunity belong to different companies.",
            reason="subjects_disagree",
        )
    return About(lead, next(iter(named), None), contact, deal, account)


def _account_of(row: Any) -> UUID | None:
    return None if row is None else row.account_id


def _lock_contact(contact_id: UUID, *, actor: Actor) -> tuple[Account, Contact]:
    place = Contact.objects.visible_to(actor).filter(pk=contact_id).first()
    if place is None:
        raise NotFound
    account = account_in_hand(place.account_id, actor=actor)
    contact = account.contacts.select_for_update(of=("self",)).filter(pk=contact_id).first()
    if contact is None:
        raise NotFound
    return account, contact


def _lock_deal(opportunity_id: UUID, *, actor: Actor) -> Opportunity:
    deal: Opportunity | None = Opportunity.objects.lock_visible_to(actor, [opportunity_id]).get(
        opportunity_id
    )
    if deal is None:
        raise NotFound
    return deal
