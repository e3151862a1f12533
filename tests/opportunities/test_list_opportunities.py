"""Lists of deals and of their history: filters, order, reach."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories.accounts import AccountFactory
from tests.factories.opportunities import in_days, make_deal
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory


@pytest.fixture
def deals(rep):
    account = AccountFactory(name="Acme Corp", owner=rep)
    return {
        "small": make_deal(account=account, name="Acme small renewal", amount=Decimal(100)),
        "big": make_deal(
            account=account,
            name="Acme big platform",
            amount=Decimal(9000),
            stage="proposal",
            expected_close_date=date.fromisoformat(in_days(10)),
        ),
        "won": make_deal(owner=rep, name="Booking.com pilot", stage="closed_won"),
    }


def names(answer):
    assert answer.status_code == 200, answer.content
    return [one["name"] for one in answer.json()["data"]]


def test_shows_a_deal_with_cards(api, rep, deals):
    row = api(rep).call("GET", "/opportunities?stage=proposal").json()["data"][0]
    big = deals["big"]
    assert row["id"] == str(big.pk)
    assert row["account"] == {"id": str(big.account_id), "name": "Acme Corp"}
    assert row["owner"] == {"id": str(rep.pk), "name": "Rex Rep"}
    assert row["territory"] is None
    assert (row["stage"], row["pipeline"], row["is_open"]) == ("proposal", "default", True)
    assert (row["amount"], row["currency"], row["probability"]) == (9000.00, "USD", 50)
    assert row["expected_close_date"] == in_days(10)
    assert row["deal_score"] == big.deal_score


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("stage=discovery,proposal", {"small", "big"}),
        ("is_open=false", {"won"}),
        ("pipeline=default", {"small", "big", "won"}),
        ("pipeline=other", set()),
        ("amount_min=100&amount_max=5000", {"small"}),
        ("forecast_category=best_case", {"big"}),
        (f"expected_close_after={in_days(10)}", {"big"}),
        (f"expected_close_before={in_days(9)}", set()),
        ("created_after=2020-01-01", {"small", "big", "won"}),
        ("created_before=2020-01-01", set()),
        ("search=acme", {"small", "big"}),
        ("search=Acme renew", {"small"}),
        ("search=com", {"won"}),
    ],
)
def test_narrows(api, rep, deals, query, found):
    assert set(names(api(rep).call("GET", f"/opportunities?{query}"))) == {
        deals[one].name for one in found
    }


def test_narrows_by_account_owner_and_territory(api, rep, deals):
    client, deal = api(rep), deals["small"]
    assert len(names(client.call("GET", f"/opportunities?account_id={deal.account_id}"))) == 2
    assert len(names(client.call("GET", f"/opportunities?owner_id={rep.pk}"))) == 3
    assert names(client.call("GET", f"/opportunities?territory_id={rep.pk}")) == []
    assert len(names(client.call("GET", f"/accounts/{deal.account_id}/opportunities"))) == 2


@pytest.mark.parametrize(
    ("ordering", "first"),
    [
        ("amount", "won"),
        ("-amount", "big"),
        ("expected_close_date", "big"),
        ("-deal_score", "won"),
        ("-updated_at", "won"),
        ("created_at", "small"),
    ],
)
def test_orders_and_pages_by_cursor(api, rep, deals, ordering, first):
    client = api(rep)
    seen, cursor = [], ""
    while cursor is not None:
        answer = client.call(
            "GET", f"/opportunities?ordering={ordering}&limit=1&cursor={cursor}"
        ).json()
        seen += [one["name"] for one in answer["data"]]
        cursor = answer["pagination"]["next_cursor"]
    assert len(seen) == len(set(seen)) == 3
    assert seen[0] == deals[first].name


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("stage=limbo", "stage"),
        ("colour=red", "colour"),
        ("amount_min=much", "amount_min"),
        ("expected_close_after=2026-02-30", "expected_close_after"),
        ("owner_id=me", "owner_id"),
        ("ordering=margin", "ordering"),
        ("is_open=maybe", "is_open"),
    ],
)
def test_refuses_what_makes_no_sense(api, rep, query, field):
    answer = api(rep).call("GET", f"/opportunities?{query}")
    assert answer.status_code == 400
    assert field in answer.json()["error"]["details"]["fields"]


def test_shows_what_is_within_reach_and_nothing_else(api, rep, manager, outsider, admin, deals):
    territory = TerritoryFactory()
    TerritoryMemberFactory(territory=territory, user=rep)
    make_deal(owner=outsider, name="In my territory", territory_id=territory.pk)
    make_deal(owner=outsider, name="Elsewhere")
    seen = {
        who: set(names(api(who).call("GET", "/opportunities")))
        for who in (rep, manager, outsider, admin)
    }
    own = {one.name for one in deals.values()}
    assert seen[rep] == own | {"In my territory"}
    assert seen[manager] == own | {"In my territory"}
    assert seen[outsider] == {"In my territory", "Elsewhere"}
    assert seen[admin] == own | {"In my territory", "Elsewhere"}


def test_an_outsider_finds_nothing_through_any_door(api, outsider, deals):
    client, deal = api(outsider), deals["big"]
    assert names(client.call("GET", "/opportunities?search=acme")) == []
    for path in (
        f"/opportunities/{deal.pk}",
        f"/opportunities/{deal.pk}/history",
        f"/accounts/{deal.account_id}/opportunities",
    ):
        assert client.call("GET", path).status_code == 404


def test_the_number_of_queries_does_not_grow_with_the_rows(api, rep, deals):
    client = api(rep)
    client.call("GET", "/opportunities")
    with CaptureQueriesContext(connection) as few:
        client.call("GET", "/opportunities?amount_min=0")
    for _ in range(5):
        make_deal(owner=rep, stage="proposal")
    with CaptureQueriesContext(connection) as many:
        client.call("GET", "/opportunities?amount_min=0.00")
    assert len(few) == len(many) == 2


def test_history_is_newest_first(api, rep, deals):
    client, deal = api(rep), deals["big"]
    client.call("PATCH", f"/opportunities/{deal.pk}", {"amount": 9500, "notes": "Two more seats"})
    body = client.call("GET", f"/opportunities/{deal.pk}/history").json()
    assert body["pagination"]["total"] == 2
    newest, first = body["data"]
    assert (newest["kind"], newest["seq"], newest["notes"]) == ("changed", 2, "Two more seats")
    assert (newest["amount_from"], newest["amount_to"]) == (9000.00, 9500.00)
    assert newest["actor"] == {"id": str(rep.pk), "name": "Rex Rep"}
    assert (newest["stage_from"], newest["stage_to"]) == ("proposal", "proposal")
    assert (first["kind"], first["stage_from"], first["actor"]) == ("created", None, None)


def test_pipelines_tell_their_stages_and_moves(api, rep):
    (pipeline,) = api(rep).call("GET", "/pipelines").json()["data"]
    assert (pipeline["key"], pipeline["is_default"]) == ("default", True)
    assert [(one["key"], one["kind"], one["probability"]) for one in pipeline["stages"]] == [
        ("discovery", "open", 20),
        ("qualification", "open", 40),
        ("proposal", "open", 50),
        ("negotiation", "open", 90),
        ("closed_won", "won", 100),
        ("closed_lost", "lost", 0),
    ]
    assert pipeline["stages"][0]["forward"] == ["qualification", "proposal"]
