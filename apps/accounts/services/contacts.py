"""The people to talk to at an account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from apps.accounts.errors import ContactKnown, TooLateToRestore
from apps.accounts.events import (
    ContactAdded,
    ContactChanged,
    ContactRemoved,
    ContactRestored,
)
from apps.accounts.models import Contact
from apps.accounts.permissions import WRITE_ACCOUNT
from apps.accounts.rules import can_be_restored
from apps.accounts.services.accounts import account_in_hand
from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.consents import keep_consent
from apps.core.contact_points import email_key, normalised_phone, phone_key
from apps.core.errors import InvalidInput, NotFound
from apps.core.journal import publish
from apps.core.models import Consent, DataKey
from apps.core.permissions import require


@command
def add_contact(
    *, account_id: UUID, actor: Actor, data_key: DataKey | None = None, **facts: Any
) -> Contact:
    """Add somebody to talk to at an account.

    Args:
        account_id: of an account within reach.
        actor: needs `account:write`.
        data_key: of a person who is known already, such as the lead that is converted.
        facts: the columns of `Contact`. A phone number is read as one of the account's country.

    Raises:
        NotFound, NotAllowed, InvalidInput, ContactKnown.
    """
    account = account_in_hand(account_id, actor=actor)
    require(actor, WRITE_ACCOUNT)
    contact = Contact(account=account, data_key=data_key)
    _apply(contact, facts)
    contact.save(force_insert=True)
    _note_consent(contact, actor)
    publish(
        ContactAdded(account_id=account.pk, contact_id=contact.pk, type=contact.type), actor=actor
    )
    return contact


@command
def change_contact(*, account_id: UUID, contact_id: UUID, actor: Actor, **facts: Any) -> Contact:
    """Change what is known of somebody at an account.

    Raises NotFound, NotAllowed, InvalidInput, ContactKnown.
    """
    account = account_in_hand(account_id, actor=actor)
    require(actor, WRITE_ACCOUNT)
    contact = account.contacts.filter(pk=contact_id).first()
    if contact is None:
        raise NotFound
    if changed := _apply(contact, facts):
        contact.save()
        if "consent" in changed:
            _note_consent(contact, actor)
        publish(
            ContactChanged(account_id=account.pk, contact_id=contact.pk, changed=changed),
            actor=actor,
        )
    return contact


@command
def remove_contact(*, account_id: UUID, contact_id: UUID, actor: Actor) -> None:
    """Put somebody who is not to be talked to any more into the bin, for thirty days.

    Raises NotFound, NotAllowed.
    """
    account = account_in_hand(account_id, actor=actor)
    require(actor, WRITE_ACCOUNT)
    contact = account.contacts.filter(pk=contact_id).first()
    if contact is None:
        raise NotFound
    contact.deleted_at, contact.deleted_by_id = timezone.now(), actor.id
    contact.save(update_fields=["deleted_at", "deleted_by_id", "updated_at"])
    publish(ContactRemoved(account_id=account.pk, contact_id=contact.pk), actor=actor)


@command
def restore_contact(*, account_id: UUID, contact_id: UUID, actor: Actor) -> Contact:
    """Take somebody at an account out of the bin.

    Raises NotFound, NotAllowed, TooLateToRestore, ContactKnown.
    """
    account = account_in_hand(account_id, actor=actor)
    require(actor, WRITE_ACCOUNT)
    removed = Contact.objects.with_bin().in_bin().filter(account=account)
    contact: Contact | None = removed.filter(pk=contact_id).first()
    if contact is None or contact.deleted_at is None:
        raise NotFound
    if not can_be_restored(contact.deleted_at, timezone.now()):
        raise TooLateToRestore
    _check_known(contact)
    contact.deleted_at = contact.deleted_by_id = None
    contact.save(update_fields=["deleted_at", "deleted_by_id", "updated_at"])
    publish(ContactRestored(account_id=account.pk, contact_id=contact.pk), actor=actor)
    return contact


def _apply(contact: Contact, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Check facts and put them on the row; returns the names of those that changed."""
    cleaned = dict(facts)
    if cleaned.get("phone"):
        cleaned["phone"] = normalised_phone(cleaned["phone"], contact.account.country)
        if not cleaned["phone"]:
            raise InvalidInput.field("phone", "Give a phone number.")
    changed = tuple(name for name, value in cleaned.items() if getattr(contact, name) != value)
    for name in changed:
        setattr(contact, name, cleaned[name])
    contact.email_key = email_key(contact.email)
    contact.phone_key = phone_key(contact.phone, settings.DEFAULT_COUNTRY)
    if contact.email and not contact.email_key:
        raise InvalidInput.field("email", "Give an e-mail address such as jane@acme.com.")
    _check_known(contact)
    return changed


def _note_consent(contact: Contact, actor: Actor) -> None:
    """Keep who said when that the person may be written to."""
    if contact.consent is not None and contact.email:
        keep_consent(
            email=contact.email,
            purpose=Consent.Purpose.MARKETING,
            is_given=contact.consent,
            source="contact",
            actor=actor,
        )


def _check_known(contact: Contact) -> None:
    if not contact.email_key:
        return
    same = contact.account.contacts.filter(type=contact.type, email_key=contact.email_key)
    if same.exclude(pk=contact.pk).exists():
        raise ContactKnown
