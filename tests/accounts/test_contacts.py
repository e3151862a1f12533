"""The people to talk to at an account."""

from __future__ import annotations

from uuid import uuid4

import pytest

from apps.accounts.errors import ContactKnown
from apps.accounts.models import Contact
from apps.accounts.services.contacts import add_contact, change_contact
from apps.core.contact_points import email_key
from apps.core.errors import NotAllowed, NotFound
from apps.core.models import BusinessEvent
from apps.privacy.selectors import Subject
from apps.privacy.services.erasures import erase_person
from apps.users.models import Role
from tests.factories.accounts import AccountFactory, ContactFactory
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory

JANE = {
    "type": "primary",
    "name": "Jane Doe",
    "email": " Jane.Doe@Acme.com ",
    "phone": "020 7183 8750",
    "title": "CTO",
    "consent": True,
}


def test_adds_a_contact_and_tells_without_personal_data(api, rep):
    account = AccountFactory(owner=rep, country="GB")
    answer = api(rep).call("POST", f"/accounts/{account.pk}/contacts", JANE)
    assert answer.status_code == 201, answer.content
    contact = Contact.objects.get()
    assert answer.json() == {
        "id": str(contact.pk),
        "account_id": str(account.pk),
        "type": "primary",
        "created_at": contact.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert (contact.email, contact.email_key) == (
        "Jane.Doe@Acme.com",
        email_key("jane.doe@acme.com"),
    )
    assert (contact.phone, contact.consent) == ("+442071838750", True)
    event = BusinessEvent.objects.get(aggregate_id=account.pk)
    assert (event.name, event.payload) == (
        "contact.created",
        {"account_id": str(account.pk), "contact_id": str(contact.pk), "type": "primary"},
    )


def test_a_contact_needs_no_more_than_a_name(acting, rep):
    account = AccountFactory(owner=rep)
    contact = add_contact(account_id=account.pk, name="Jane", actor=acting(rep))
    assert (contact.type, contact.email, contact.consent) == ("other", "", None)


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"name": ""}, "name"),
        ({"type": "boss"}, "type"),
        ({"email": "jane"}, "email"),
        ({"phone": "n/a"}, "phone"),
        ({"consent": "yes"}, "consent"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_refuses_what_makes_no_sense(api, rep, facts, field):
    account = AccountFactory(owner=rep)
    answer = api(rep).call("POST", f"/accounts/{account.pk}/contacts", {**JANE, **facts})
    assert answer.status_code == 400
    assert list(answer.json()["error"]["details"]["fields"]) == [field]
    assert not Contact.objects.exists()


def test_a_person_is_known_once_for_a_purpose(acting, rep):
    account = AccountFactory(owner=rep)
    known = {"account_id": account.pk, "name": "Jane", "actor": acting(rep)}
    add_contact(**known, type="primary", email="jane@acme.com")
    with pytest.raises(ContactKnown):
        add_contact(**known, type="primary", email="JANE@acme.com")
    billing = add_contact(**known, type="billing", email="jane@acme.com")
    with pytest.raises(ContactKnown):
        change_contact(
            account_id=account.pk, contact_id=billing.pk, type="primary", actor=acting(rep)
        )
    assert list(Contact.objects.order_by("type").values_list("type", flat=True)) == [
        "billing",
        "primary",
    ]


def test_changes_a_contact_and_tells_the_names_of_the_fields(api, rep):
    contact = ContactFactory(account__owner=rep, title="CTO")
    path = f"/accounts/{contact.account_id}/contacts/{contact.pk}"
    client = api(rep)
    for _ in range(2):
        answer = client.call("PUT", path, {"title": "CEO", "email": "new@acme.com"})
        assert answer.status_code == 200, answer.content
    assert (answer.json()["title"], answer.json()["email"]) == ("CEO", "new@acme.com")
    contact.refresh_from_db()
    assert contact.email_key == email_key("new@acme.com")
    event = BusinessEvent.objects.get()
    assert event.payload == {
        "account_id": str(contact.account_id),
        "contact_id": str(contact.pk),
        "changed": ["email", "title"],
    }


def test_a_contact_of_another_account_is_not_found(acting, rep):
    account, contact = AccountFactory(owner=rep), ContactFactory(account__owner=rep)
    for account_id, contact_id in (
        (account.pk, contact.pk),
        (contact.account_id, uuid4()),
        (uuid4(), contact.pk),
    ):
        with pytest.raises(NotFound):
            change_contact(
                account_id=account_id, contact_id=contact_id, name="Mine", actor=acting(rep)
            )


def test_whoever_only_reads_adds_and_changes_nothing(acting, db):
    reader = UserFactory(role=Role.READ_ONLY)
    territory = TerritoryFactory()
    TerritoryMemberFactory(territory=territory, user=reader)
    contact = ContactFactory(account__territory=territory, name="Jane")
    with pytest.raises(NotAllowed):
        add_contact(account_id=contact.account_id, name="Joe", actor=acting(reader))
    with pytest.raises(NotAllowed):
        change_contact(
            account_id=contact.account_id,
            contact_id=contact.pk,
            name="Joe",
            actor=acting(reader),
        )
    assert Contact.objects.get().name == "Jane"


def test_lists_contacts_in_a_fixed_number_of_queries(api, rep, django_assert_num_queries):
    account = AccountFactory(owner=rep)
    ContactFactory.create_batch(3, account=account, type="billing")
    ContactFactory(account=account)
    client = api(rep)
    path = f"/accounts/{account.pk}/contacts"
    assert len(client.call("GET", f"{path}?type=billing").json()["data"]) == 3
    with django_assert_num_queries(3):  # the account, its contacts, their total
        assert len(client.call("GET", path).json()["data"]) == 4


def test_a_contact_is_found_by_the_whole_number_alone(api, rep, outsider, acting, system):
    account = AccountFactory(owner=rep, country="GB")
    client = api(rep)

    def found(phone, by=client):
        answer = by.call("GET", f"/accounts/{account.pk}/contacts?phone={phone}")
        return [one["name"] for one in answer.json()["data"]] if answer.status_code == 200 else None

    contact = add_contact(account_id=account.pk, actor=acting(rep), **JANE)
    add_contact(account_id=account.pk, actor=acting(rep), name="Joe", phone="020 7183 8751")
    assert found("%2B44 20 7183 8750") == found("+44-20-7183-8750") == ["Jane Doe"]
    assert found("%2B44 20 7183") == []
    assert found("nobody") is None
    # What is no number is nobody's, least of all of those who have none.
    add_contact(account_id=account.pk, actor=acting(rep), name="Jim")
    assert found("-------") is None
    assert found("%2B442071838750", by=api(outsider)) is None
    changed = {"account_id": account.pk, "contact_id": contact.pk, "actor": acting(rep)}
    change_contact(**changed, phone="+1 212 555 0100")
    assert (found("%2B442071838750"), found("%2B12125550100")) == ([], ["Jane Doe"])
    change_contact(**changed, phone="0049 30 901820")
    assert found("%2B49 30 901820") == found("0049 30 901820") == ["Jane Doe"]
    change_contact(**changed, phone="")
    assert (found("%2B12125550100"), Contact.objects.get(pk=contact.pk).phone_key) == ([], "")


def test_who_was_erased_is_found_by_no_number(acting, rep, admin):
    account = AccountFactory(owner=rep, country="GB")
    contact = add_contact(account_id=account.pk, actor=acting(rep), **JANE)
    assert Contact.objects.get().phone_key != ""
    subject = Subject(kind="contacts", row_id=contact.pk)
    erase_person(subject=subject, reason="asked", actor=acting(admin))
    assert (Contact.objects.get().phone_key, Contact.objects.get().phone) == ("", "")


def test_a_number_typed_into_the_search_finds_the_contact(client, admin, acting):
    account = AccountFactory(country="GB")
    add_contact(account_id=account.pk, actor=acting(admin), **JANE)
    add_contact(account_id=account.pk, actor=acting(admin), name="Joe Miller")
    client.force_login(admin)
    page = client.get("/admin/accounts/contact/", {"q": "+44 20 7183 8750"}).content.decode()
    assert "Jane Doe" in page
    assert "Joe Miller" not in page
