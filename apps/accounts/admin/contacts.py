"""The list of contacts and a contact's page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from unfold.decorators import display
from unfold.enums import ActionVariant

from apps.accounts.models import Account, Contact
from apps.accounts.permissions import READ_ACCOUNT, WRITE_ACCOUNT
from apps.accounts.rules import normalised_domain
from apps.accounts.services.contacts import change_contact, remove_contact, restore_contact
from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.lists import BinFilter
from apps.core.admin.operations import Operation
from apps.core.contact_points import email_key, is_phone, phone_key


def change_known_contact(*, contact_id: UUID, actor: Actor, **facts: Any) -> Contact:
    """Change what is known of a contact, at its account."""
    contact = Contact.objects.visible_to(actor).get(pk=contact_id)
    return change_contact(
        account_id=contact.account_id, contact_id=contact_id, actor=actor, **facts
    )


def remove_known_contact(*, contact_id: UUID, actor: Actor) -> None:
    """Put a contact into the bin, at its account."""
    contact = Contact.objects.visible_to(actor).get(pk=contact_id)
    remove_contact(account_id=contact.account_id, contact_id=contact_id, actor=actor)


def restore_known_contact(*, contact_id: UUID, actor: Actor) -> Contact:
    """Take a contact out of the bin, at its account."""
    contact = Contact.objects.with_bin().visible_to(actor).get(pk=contact_id)
    return restore_contact(account_id=contact.account_id, contact_id=contact_id, actor=actor)


def phone_typed(text: str) -> str:
    """What somebody is found by whose whole phone number was typed; empty where it is none."""
    return phone_key(text, settings.DEFAULT_COUNTRY) if is_phone(text) else ""


@admin.register(Contact)
class ContactAdmin(ActorAdmin):
    """People at customer companies; they are added on the account's page."""

    read = READ_ACCOUNT
    write = WRITE_ACCOUNT
    subject = "contact_id"
    changes = staticmethod(change_known_contact)
    list_display = ("person", "account_line", "type", "phone")
    list_select_related = ("account",)
    list_filter = (BinFilter,)
    sortable_by = ()
    search_fields = ("email_key",)
    search_help_text = "A whole e-mail address or phone number, or the domain of an account"
    exact_search = (
        ("email_key", email_key),
        ("phone_key", phone_typed),
        ("account__domain", normalised_domain),
    )
    readonly_fields = ("account", "created_at", "updated_at")
    fields = (
        "account",
        ("name", "type"),
        ("email", "phone"),
        ("title", "consent"),
        ("created_at", "updated_at"),
    )
    operations = (
        Operation(
            name="bin",
            label="Move to the bin",
            permission=WRITE_ACCOUNT,
            one=remove_known_contact,
            in_bulk=True,
            asks_first=True,
            sentence="It can be restored for 30 days.",
            icon="delete",
            tone=ActionVariant.DANGER,
        ),
        Operation(
            name="restore",
            label="Restore",
            permission=WRITE_ACCOUNT,
            one=restore_known_contact,
            in_bulk=True,
            of_bin=True,
            icon="restore_from_trash",
            tone=ActionVariant.PRIMARY,
        ),
    )

    @display(description="Contact")
    def person(self, row: Contact) -> Any:
        """Name and address."""
        return show.two_lines(row.name, row.email)

    @display(description="Account")
    def account_line(self, row: Contact) -> Any:
        """Where the person works."""
        return show.link(Account, row.account_id, row.account)
