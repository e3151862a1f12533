"""Finding accounts: reach, filters, search, order, and the one a lead's company is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from apps.accounts.fields import CONTACTS
from apps.accounts.models import Contact
from apps.accounts.services.accounts import match_account
from tests.factories.accounts import AccountFactory, ContactFactory
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory


def names(answer) -> list[str]:
    """The names on a page."""
    assert answer.status_code == 200, answer.content
    return [row["name"] for row in answer.json()["data"]]


@pytest.fixture
def market(rep):
    """Accounts that differ in everything."""
    territory = TerritoryFactory(name="West")
    TerritoryMemberFactory(territory=territory, user=rep)
    mother = AccountFactory(
        owner=rep,
        name="Booking.com Group",
        domain="booking.com",
        city="Amsterdam",
        country="NL",
        industry="travel",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    AccountFactory(
        name="Coca-Cola",
        territory=territory,
        country="US",
        city="Atlanta",
        industry="food",
        parent_account=mother,
        created_at=datetime(2026, 2, 1, tzinfo=UTC),
    )
    AccountFactory(name="Elsewhere", country="US")
    return mother, territory


def test_a_rep_sees_own_accounts_and_those_of_own_territories(api, rep, manager, admin, market):
    assert names(api(rep).call("GET", "/accounts")) == ["Coca-Cola", "Booking.com Group"]
    assert names(api(manager).call("GET", "/accounts?ordering=name")) == [
        "Booking.com Group",
        "Coca-Cola",
    ]
    assert len(names(api(admin).call("GET", "/accounts"))) == 3


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("country=NL", ["Booking.com Group"]),
        ("country=usa", ["Coca-Cola"]),
        ("industry=food", ["Coca-Cola"]),
        ("owner_id={rep}", ["Booking.com Group"]),
        ("territory_id={territory}", ["Coca-Cola"]),
        ("parent_account_id={mother}", ["Coca-Cola"]),
        ("created_after=2026-01-15", ["Coca-Cola"]),
        ("created_before=2026-01-15", ["Booking.com Group"]),
        ("search=booking.com", ["Booking.com Group"]),
        ("search=amster", ["Booking.com Group"]),
        ("search=coca-cola", ["Coca-Cola"]),
        ("search=cola atl", ["Coca-Cola"]),
        ("search=elsewhere", []),
        ("ordering=-name", ["Coca-Cola", "Booking.com Group"]),
        ("ordering=updated_at", ["Booking.com Group", "Coca-Cola"]),
    ],
)
def test_narrows_and_orders(api, rep, market, question, found):
    mother, territory = market
    asked = question.format(rep=rep.pk, territory=territory.pk, mother=mother.pk)
    assert names(api(rep).call("GET", f"/accounts?{asked}")) == found


@pytest.mark.parametrize(
    "question",
    ["country=Atlantis", "owner_id=7", "search=%20", "ordering=annual_revenue", "colour=red"],
)
def test_refuses_questions_that_make_no_sense(api, rep, question):
    answer = api(rep).call("GET", f"/accounts?{question}")
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["fields"]


def test_a_row_shows_cards_of_what_it_refers_to(api, rep, market):
    mother, territory = market
    row = api(rep).call("GET", "/accounts?industry=food").json()["data"][0]
    assert row["parent_account"] == {"id": str(mother.pk), "name": "Booking.com Group"}
    assert row["territory"] == {"id": str(territory.pk), "name": "West"}
    assert not {"search_vector", "account_key", "deleted_at"} & set(row)


def test_pages_by_cursor(api, rep):
    AccountFactory.create_batch(5, owner=rep)
    client = api(rep)
    seen, cursor = [], ""
    while cursor is not None:
        page = client.call("GET", f"/accounts?limit=2&cursor={cursor}").json()
        seen += [row["id"] for row in page["data"]]
        cursor = page["pagination"]["next_cursor"]
    assert len(seen) == len(set(seen)) == 5


def test_lists_in_a_fixed_number_of_queries(api, rep, market, django_assert_num_queries):
    AccountFactory.create_batch(5, owner=rep)
    client = api(rep)
    client.call("GET", "/accounts?country=FR")
    with django_assert_num_queries(4):  # rows, names of owners and territories, total
        client.call("GET", "/accounts")


def test_a_company_is_matched_by_domain_then_by_name(acting, rep):
    by_domain = AccountFactory(owner=rep, name="Acme Holding", domain="acme.com")
    by_name = AccountFactory(owner=rep, name="ACME  Corp")
    AccountFactory(owner=rep, name="Acme Corp")
    AccountFactory(name="Hidden", domain="hidden.com")
    actor = acting(rep)

    def match(name, domain=""):
        return match_account(name=name, domain=domain, actor=actor)

    assert match("acme corp", "https://www.ACME.com") == by_domain
    assert match("acme corp", "unknown.com") == by_name
    assert match(" Acme CORP ") == by_name
    assert match("Acme") is None
    assert match("Hidden", "hidden.com") is None
    assert match("", "nonsense") is None


def test_contacts_are_seen_by_whoever_sees_the_account(api, acting, rep, outsider, admin):
    contact = ContactFactory(account__owner=rep)
    assert list(Contact.objects.visible_to(acting(rep))) == [contact]
    assert list(Contact.objects.visible_to(acting(admin))) == [contact]
    assert not Contact.objects.visible_to(acting(outsider)).exists()
    assert CONTACTS.one(acting(rep), contact.pk)["id"] == str(contact.pk)
    path = f"/accounts/{contact.account_id}/contacts"
    assert api(outsider).call("GET", path).status_code == 404
    assert names(api(rep).call("GET", path)) == [contact.name]
    assert names(api(UserFactory(role="admin")).call("GET", path)) == [contact.name]
