"""The access log in the back office and over REST, and what the back office leaves in it."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.urls import reverse

from tests.factories.accounts import AccountFactory, ContactFactory
from tests.factories.leads import LeadFactory

LIST = "admin:core_access_changelist"


def told(entries):
    return sorted((one.kind, one.reading, sorted(map(str, one.row_ids))) for one in entries)


def test_a_list_and_a_page_leave_the_ids_that_they_showed(office, admin, read_so_far):
    leads = LeadFactory.create_batch(2, company="Quarry")
    client = office(admin)
    client.get(reverse("admin:leads_lead_changelist"))
    ids = sorted(str(one.pk) for one in leads)
    assert told(read_so_far()) == [("leads", "listed", ids)]
    client.get(reverse("admin:leads_lead_change", args=[ids[0]]))
    entries = read_so_far()
    assert ("leads", "shown", [ids[0]]) in told(entries)
    assert {(one.actor_id, one.door) for one in entries} == {(admin.pk, "back_office")}


def test_contacts_on_the_page_of_their_account_are_told(office, admin, read_so_far):
    account = AccountFactory()
    contact = ContactFactory(account=account)
    office(admin).get(reverse("admin:accounts_account_change", args=[account.pk]))
    assert ("contacts", "listed", [str(contact.pk)]) in told(read_so_far())


def test_the_search_of_the_whole_site_is_told(office, admin, read_so_far):
    lead = LeadFactory(last_name="Zebra")
    office(admin).get(reverse("admin:search"), {"s": "Zebra", "extended": "1"})
    assert ("leads", "listed", [str(lead.pk)]) in told(read_so_far())


@pytest.fixture
def looked(api, manager, rep, read_so_far):
    """A lead of a rep that the manager looked at over REST, under a request id."""
    lead = LeadFactory(owner=rep)
    api(manager).call("GET", f"/leads/{lead.pk}", x_request_id="look-7")
    api(manager).call("GET", "/leads")
    read_so_far()
    return lead


@pytest.mark.parametrize("asked_by", ["row", "person", "address", "request"])
def test_is_found_by_row_person_and_request(office, admin, manager, looked, asked_by):
    typed = {
        "row": str(looked.pk),
        "person": str(manager.pk),
        "address": manager.email.upper(),
        "request": "look-7",
    }[asked_by]
    client = office(admin)
    rows = client.get(reverse(LIST), {"q": typed}).context["cl"].result_list
    assert len(rows) == (1 if asked_by == "request" else 2)
    assert {one.actor_id for one in rows} == {manager.pk}
    assert client.get(reverse(LIST), {"q": str(uuid4())}).context["cl"].result_list == []


def test_a_lead_s_page_leads_to_who_looked_at_it(office, admin, looked):
    page = office(admin).get(reverse("admin:leads_lead_change", args=[looked.pk]))
    assert f"{reverse(LIST)}?q={looked.pk}" in page.content.decode()


def test_an_entry_shows_its_rows_and_nobody_changes_it(office, admin, looked):
    client = office(admin)
    entry = client.get(reverse(LIST)).context["cl"].result_list[-1]
    page = client.get(reverse("admin:core_access_change", args=[entry.pk]))
    assert str(looked.pk) in page.content.decode()
    assert "_save" not in page.content.decode()


def test_answers_over_rest_page_by_page(api, admin, manager, looked):
    client = api(admin)
    address = f"/audit/accesses?object=leads:{looked.pk}&limit=1"
    first = client.call("GET", address).json()
    (entry,) = first["data"]
    assert (entry["kind"], entry["reading"], entry["user"]) == ("leads", "listed", str(manager.pk))
    assert first["has_more"]
    second = client.call("GET", f"{address}&before={entry['sequence']}").json()
    assert [(one["reading"], one["request_id"]) for one in second["data"]] == [("shown", "look-7")]
    assert not second["has_more"]
    nobody = client.call("GET", f"/audit/accesses?user={uuid4()}").json()
    assert nobody == {"data": [], "has_more": False}


@pytest.mark.parametrize("query", ["object=leads", "object=accounts:1", "user=x", "limit=0", "x=1"])
def test_refuses_what_can_t_be_asked(api, admin, query):
    assert api(admin).call("GET", f"/audit/accesses?{query}").status_code == 400


def test_is_for_those_who_may(api, office, manager):
    assert api(manager).call("GET", "/audit/accesses").status_code == 403
    assert office(manager).get(reverse(LIST)).status_code == 403
