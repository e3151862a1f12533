"""Customer companies and the people there."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from apps.accounts.models import Account, Contact
from apps.core.contact_points import email_key, phone_key
from apps.territories.rules import folded
from tests.factories.users import UserFactory


class AccountFactory(DjangoModelFactory):
    """An account without territory."""

    class Meta:
        model = Account

    name = factory.Sequence(lambda number: f"Company {number}")
    account_key = factory.LazyAttribute(lambda account: folded(account.name))
    currency = "USD"
    owner = factory.SubFactory(UserFactory)


class ContactFactory(DjangoModelFactory):
    """Somebody at an account."""

    class Meta:
        model = Contact

    account = factory.SubFactory(AccountFactory)
    name = factory.Sequence(lambda number: f"Contact {number}")
    email = factory.Sequence(lambda number: f"contact{number}@example.com")
    email_key = factory.LazyAttribute(lambda contact: email_key(contact.email))
    phone_key = factory.LazyAttribute(lambda contact: phone_key(getattr(contact, "phone", "")))
