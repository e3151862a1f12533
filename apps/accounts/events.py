"""What happens to accounts and their contacts. The people there are named by id only."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from apps.core.events import event

TOPIC = "sales.accounts"


@event("account.created", topic=TOPIC, about="account_id")
@dataclass(frozen=True, kw_only=True)
class AccountOpened:
    """A company became an account."""

    account_id: UUID
    name: str
    domain: str
    owner_id: UUID
    territory_id: UUID | None
    parent_account_id: UUID | None


@event("account.updated", topic=TOPIC, about="account_id")
@dataclass(frozen=True, kw_only=True)
class AccountChanged:
    """Facts of an account changed."""

    account_id: UUID
    version: int
    changed: tuple[str, ...]


@event("account.deleted", topic=TOPIC, about="account_id")
@dataclass(frozen=True, kw_only=True)
class AccountDeleted:
    """An account went into the bin."""

    account_id: UUID
    owner_id: UUID
    territory_id: UUID | None


@event("account.restored", topic=TOPIC, about="account_id")
@dataclass(frozen=True, kw_only=True)
class AccountRestored:
    """An account came back from the bin."""

    account_id: UUID
    owner_id: UUID
    territory_id: UUID | None


@event("contact.created", topic=TOPIC, about="account_id")
@dataclass(frozen=True, kw_only=True)
class ContactAdded:
    """An account has somebody more to talk to."""

    account_id: UUID
    contact_id: UUID
    type: str


@event("contact.updated", topic=TOPIC, about="account_id")
@dataclass(frozen=True, kw_only=True)
class ContactChanged:
    """Facts of a contact changed."""

    account_id: UUID
    contact_id: UUID
    changed: tuple[str, ...]


@event("contact.deleted", topic=TOPIC, about="account_id")
@dataclass(frozen=True, kw_only=True)
class ContactRemoved:
    """Somebody is not to be talked to any more."""

    account_id: UUID
    contact_id: UUID


@event("contact.restored", topic=TOPIC, about="account_id")
@dataclass(frozen=True, kw_only=True)
class ContactRestored:
    """A contact came back from the bin."""

    account_id: UUID
    contact_id: UUID
