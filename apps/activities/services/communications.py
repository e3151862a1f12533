"""E-mails, calls and meetings of which mail and telephony systems tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from apps.accounts.models import Account, Contact
from apps.activities.models import Activity
from apps.activities.permissions import WRITE_ACTIVITY
from apps.activities.services.activities import log_activity
from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.contact_points import email_key, phone_key
from apps.core.database import take_turn
from apps.core.errors import InvalidInput
from apps.core.permissions import require
from apps.leads.models import Lead
from apps.opportunities.models import Opportunity
from apps.users.models import User


@command
def log_communication(
    *,
    system: str,
    external_id: str,
    type: str,  # noqa: A002
    occurred_at: datetime,
    colleague: str,
    others: Sequence[str],
    direction: str,
    actor: Actor,
    subject: str = "",
    description: str = "",
    duration_minutes: int | None = None,
) -> Activity | None:
    """Log an e-mail, call or meeting of a colleague with a contact or an open lead.

    It is about the contact, and about the deal where their account has just one open; else about
    the lead. Both are known by their e-mail addresses and numbers; a contact rather by the address.
    What is with nobody known is not kept: it is no business of ours. What was told before stays as
    it is.

    Args:
        system: who tells of it, and
        external_id: what it is called there.
        type: `email`, `call` or `meeting`.
        occurred_at: when.
        colleague: the e-mail address of whoever works here.
        others: e-mail addresses, and phone numbers, of those at the other end.
        direction: `inbound` or `outbound`.
        actor: needs `activity:write`; whom it does not see, it does not know.
        subject, description, duration_minutes: as far as known.

    Raises NotAllowed, InvalidInput, PersonErased (sales-core, Activities).
    """
    require(actor, WRITE_ACTIVITY)
    take_turn(f"communication {system} {external_id}")
    known = Activity.objects.with_bin().filter(external_system=system, external_id=external_id)
    if (told := known.first()) is not None:
        return told
    person = User.objects.active().filter(email__iexact=colleague.strip()).first()
    if person is None:
        raise InvalidInput.field("colleague", "There is nobody at work with this address.")
    about = _about(others, actor)
    if not about:
        return None
    activity: Activity = log_activity(
        type=type,
        subject=subject or str(Activity.Type(type).label),
        description=description,
        duration_minutes=duration_minutes,
        completed_at=occurred_at,
        user_id=person.pk,
        direction=direction if type in Activity.DIRECTED else "",
        told_by=(system, external_id),
        actor=actor,
        **about,
    )
    return activity


def _about(others: Sequence[str], actor: Actor) -> dict[str, UUID]:
    """Whom the other end is, among those within reach; nothing where nobody is known."""
    emails = {email_key(one) for one in others if "@" in one} - {""}
    country = settings.DEFAULT_COUNTRY
    phones = {phone_key(one, country) for one in others if "@" not in one} - {""}
    same = Q(email_key__in=emails) | Q(phone_key__in=phones)
    contact = _contact(Q(email_key__in=emails), actor) or _contact(same, actor)
    if contact is not None:
        return _about_contact(contact, actor)
    lead = Lead.objects.open().visible_to(actor).filter(same).order_by("-created_at", "-pk").first()
    return {} if lead is None else {"lead_id": lead.pk}


def _contact(same: Q, actor: Actor) -> Contact | None:
    accounts = Account.objects.visible_to(actor)
    found: Contact | None = (
        Contact.objects.filter(same, account__in=accounts).order_by("-updated_at", "-pk").first()
    )
    return found


def _about_contact(contact: Contact, actor: Actor) -> dict[str, Any]:
    deals = Opportunity.objects.open().visible_to(actor).of_account(contact.account_id)
    open_deals = list(deals.values_list("pk", flat=True)[:2])
    deal = {"opportunity_id": open_deals[0]} if len(open_deals) == 1 else {}
    return {"contact_id": contact.pk, **deal}
