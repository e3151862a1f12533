"""Removing somebody from an account, and taking them back."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.accounts.errors import ContactKnown, TooLateToRestore
from apps.accounts.models import Contact
from apps.accounts.services.contacts import add_contact, remove_contact, restore_contact
from apps.core.errors import NotAllowed, NotFound
from apps.core.models import BusinessEvent
from apps.users.models import Role
from tests.factories.accounts import AccountFactory, ContactFactory
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory


def told() -> list[tuple[str, dict]]:
    return list(BusinessEvent.objects.order_by("sequence").values_list("name", "payload"))


def test_a_removed_contact_is_seen_nowhere_and_comes_back(api, rep):
    contact = ContactFactory(account__owner=rep, name="Jane")
    people = f"/accounts/{contact.account_id}/contacts"
    client = api(rep)
    assert client.call("DELETE", f"{people}/{contact.pk}").status_code == 204
    assert client.call("DELETE", f"{people}/{contact.pk}").status_code == 404
    assert client.call("GET", people).json()["data"] == []
    assert client.call("PUT", f"{people}/{contact.pk}", {"title": "CEO"}).status_code == 404
    assert Contact.objects.with_bin().get().deleted_by_id == rep.pk

    answer = client.call("POST", f"{people}/{contact.pk}/restore")
    assert answer.status_code == 200, answer.content
    assert answer.json()["id"] == str(contact.pk)
    assert client.call("POST", f"{people}/{contact.pk}/restore").status_code == 404
    assert [one["name"] for one in client.call("GET", people).json()["data"]] == ["Jane"]
    about = {"account_id": str(contact.account_id), "contact_id": str(contact.pk)}
    assert told() == [("contact.deleted", about), ("contact.restored", about)]


def test_a_person_removed_may_be_added_anew_and_is_then_not_restored(acting, rep):
    contact = ContactFactory(account__owner=rep)
    here = {"account_id": contact.account_id, "actor": acting(rep)}
    remove_contact(contact_id=contact.pk, **here)
    anew = add_contact(name="Jane", email=contact.email, **here)
    with pytest.raises(ContactKnown):
        restore_contact(contact_id=contact.pk, **here)
    assert list(Contact.objects.all()) == [anew]


def test_after_thirty_days_nobody_comes_back(acting, rep):
    contact = ContactFactory(
        account__owner=rep, deleted_at=timezone.now() - timedelta(days=31), deleted_by_id=rep.pk
    )
    with pytest.raises(TooLateToRestore):
        restore_contact(account_id=contact.account_id, contact_id=contact.pk, actor=acting(rep))
    assert not Contact.objects.exists()


@pytest.mark.parametrize("command", [remove_contact, restore_contact])
def test_a_contact_of_another_account_or_out_of_reach_is_not_found(command, acting, rep, outsider):
    gone = {"deleted_at": timezone.now(), "deleted_by_id": rep.pk}
    contact = ContactFactory(account__owner=rep, **(gone if command is restore_contact else {}))
    other = AccountFactory(owner=rep)
    for account_id, contact_id, user in (
        (other.pk, contact.pk, rep),
        (contact.account_id, uuid4(), rep),
        (uuid4(), contact.pk, rep),
        (contact.account_id, contact.pk, outsider),
    ):
        with pytest.raises(NotFound):
            command(account_id=account_id, contact_id=contact_id, actor=acting(user))
    assert Contact.objects.with_bin().get().deleted_at == contact.deleted_at
    assert told() == []


def test_whoever_only_reads_removes_nobody(acting, db):
    reader, territory = UserFactory(role=Role.READ_ONLY), TerritoryFactory()
    TerritoryMemberFactory(territory=territory, user=reader)
    contact = ContactFactory(account__territory=territory)
    with pytest.raises(NotAllowed):
        remove_contact(account_id=contact.account_id, contact_id=contact.pk, actor=acting(reader))
    assert Contact.objects.get() == contact


def test_the_back_office_removes_and_restores(client, rep):
    contact = ContactFactory(account__owner=rep)
    client.force_login(rep)
    client.post(reverse("admin:accounts_contact_operation_bin", args=[contact.pk]))
    assert not Contact.objects.exists()
    client.post(reverse("admin:accounts_contact_operation_restore", args=[contact.pk]))
    assert Contact.objects.get() == contact
