"""`/accounts/{account_id}/contacts`: the people there."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from apps.accounts.fields import ACCOUNTS, CONTACTS
from apps.accounts.models import Contact
from apps.accounts.services.contacts import (
    add_contact,
    change_contact,
    remove_contact,
    restore_contact,
)
from apps.core.actors import Actor
from apps.core.api.bodies import Body, Flag, Text
from apps.core.api.endpoint import Endpoint, listed, operation
from apps.core.api.schema import row_serializer

TAGS = ("accounts",)


class ContactFacts(Body):
    """A person at an account; what is left out keeps its value or stays empty."""

    type = serializers.ChoiceField(Contact.Type.choices, required=False)
    name = Text(max_length=255)
    email = Text(max_length=254, required=False, allow_blank=True)
    phone = Text(max_length=50, required=False, allow_blank=True)
    title = Text(max_length=255, required=False, allow_blank=True)
    consent = Flag(required=False, allow_null=True)


class ContactChange(ContactFacts):
    """A change of a contact: any of its facts."""

    name = Text(max_length=255, required=False)


class ContactReceipt(serializers.Serializer):
    """A contact that was added or restored."""

    id = serializers.UUIDField()
    account_id = serializers.UUIDField()
    type = serializers.CharField()
    created_at = serializers.DateTimeField()


def contact_receipt(contact: Contact) -> dict[str, Any]:
    """What tells that a contact was added or restored."""
    return {
        "id": contact.pk,
        "account_id": contact.account_id,
        "type": contact.type,
        "created_at": contact.created_at,
    }


class ContactCollection(Endpoint):
    """`/accounts/{account_id}/contacts`."""

    get = listed(
        CONTACTS,
        within=ACCOUNTS,
        stated="account_id",
        summary="The contacts of an account",
        tags=TAGS,
    )

    @operation(
        summary="Add a contact", body=ContactFacts, answer=ContactReceipt, status=201, tags=TAGS
    )
    def post(self, actor: Actor, account_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        return contact_receipt(add_contact(account_id=account_id, **body, actor=actor))


class ContactItem(Endpoint):
    """`/accounts/{account_id}/contacts/{contact_id}`."""

    @operation(
        summary="Change a contact",
        body=ContactChange,
        answer=row_serializer(CONTACTS),
        tags=TAGS,
    )
    def put(
        self, actor: Actor, account_id: UUID, contact_id: UUID, body: dict[str, Any]
    ) -> dict[str, Any]:
        change_contact(account_id=account_id, contact_id=contact_id, **body, actor=actor)
        return CONTACTS.one(actor, contact_id)

    @operation(summary="Put a contact into the bin", status=204, tags=TAGS)
    def delete(self, actor: Actor, account_id: UUID, contact_id: UUID) -> None:
        remove_contact(account_id=account_id, contact_id=contact_id, actor=actor)


class ContactRestoration(Endpoint):
    """`/accounts/{account_id}/contacts/{contact_id}/restore`."""

    @operation(summary="Take a contact out of the bin", answer=ContactReceipt, tags=TAGS)
    def post(self, actor: Actor, account_id: UUID, contact_id: UUID) -> dict[str, Any]:
        return contact_receipt(
            restore_contact(account_id=account_id, contact_id=contact_id, actor=actor)
        )
