"""Drawing and redrawing territories."""

from __future__ import annotations

import pytest

from apps.core.models import BusinessEvent
from apps.territories.models import Territory
from tests.factories.territories import TerritoryFactory

WEST = {
    "name": "California",
    "type": "geographic",
    "countries": ["usa"],
    "states": ["CA"],
    "zip_codes": ["94105", "941*", "94100-94199"],
    "priority": 5,
}


def test_draws_a_territory_and_tells(api, admin):
    answer = api(admin).call("POST", "/territories", WEST)
    assert answer.status_code == 201, answer.content
    territory = Territory.objects.get()
    assert answer.json()["id"] == str(territory.pk)
    assert territory.countries == ["US"]
    event = BusinessEvent.objects.get()
    assert event.name == "territory.created"
    assert event.payload["name"] == "California"
    assert event.actor_id == admin.pk
    assert event.correlation_id == answer["X-Request-ID"]


def test_shows_it_in_the_list_envelope(api, admin):
    client = api(admin)
    client.call("POST", "/territories", WEST)
    body = client.call("GET", "/territories?type=geographic&ordering=name").json()
    assert body["pagination"] == {
        "total": 1,
        "limit": 50,
        "offset": 0,
        "has_more": False,
        "next_cursor": None,
    }
    assert body["data"][0]["zip_codes"] == ["94105", "941*", "94100-94199"]
    assert body["data"][0]["parent_territory"] is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"countries": ["Atlantis"]}, "countries"),
        ({"zip_codes": ["94199-94100"]}, "zip_codes"),
        ({"zip_codes": ["9*1"]}, "zip_codes"),
        ({"min_employee_count": 10, "max_employee_count": 5}, "min_employee_count"),
        ({"type": "planet"}, "type"),
        ({"priority": "5"}, "priority"),
        ({"min_annual_revenue": -1}, "min_annual_revenue"),
        ({"colour": "red"}, "colour"),
        ({"name": "x" * 256}, "name"),
        ({"owner_id": "00000000-0000-7000-8000-00000000dead"}, "owner_id"),
        ({"parent_territory_id": "00000000-0000-7000-8000-00000000dead"}, "parent_territory_id"),
    ],
)
def test_refuses_facts_that_make_no_sense(api, admin, change, field):
    answer = api(admin).call("POST", "/territories", {**WEST, **change})
    assert answer.status_code == 400, answer.content
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert field in error["details"]["fields"]
    assert Territory.objects.count() == 0
    assert BusinessEvent.objects.count() == 0


@pytest.mark.parametrize("name", ["a\x00b", "\ud800", "tab\x07"])
def test_refuses_text_that_can_not_be_stored(api, admin, name):
    answer = api(admin).call("POST", "/territories", {**WEST, "name": name})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"
    assert Territory.objects.count() == 0


def test_refuses_a_rep(api, rep):
    answer = api(rep).call("POST", "/territories", WEST)
    assert answer.status_code == 403
    assert answer.json()["error"]["details"]["permission"] == "territory:write"
    assert Territory.objects.count() == 0


def test_refuses_the_same_name_at_the_same_place(api, admin):
    client = api(admin)
    client.call("POST", "/territories", WEST)
    answer = client.call("POST", "/territories", WEST)
    assert answer.status_code == 409
    assert answer.json()["error"]["details"]["reason"] == "territory_name_taken"
    assert Territory.objects.count() == 1


def test_refuses_a_loop_in_the_tree(api, admin):
    parent = TerritoryFactory()
    child = TerritoryFactory(parent_territory=parent)
    answer = api(admin).call(
        "PUT", f"/territories/{parent.pk}", {"parent_territory_id": str(child.pk)}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["reason"] == "territory_tree_loops"
    parent.refresh_from_db()
    assert parent.parent_territory_id is None


def test_a_territory_out_of_reach_does_not_exist(api, manager):
    territory = TerritoryFactory()
    client = api(manager)
    assert client.call("GET", f"/territories/{territory.pk}").status_code == 404
    answer = client.call("PUT", f"/territories/{territory.pk}", {"name": "Mine"})
    assert answer.status_code == 404
    assert client.call("GET", "/territories").json()["data"] == []


def test_unknown_parameters_are_refused(api, admin):
    answer = api(admin).call("GET", "/territories?colour=red")
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["fields"] == {
        "colour": ["This parameter does not exist."]
    }


def test_a_repeat_under_an_idempotency_key_happens_once(api, admin):
    client = api(admin)
    first = client.call("POST", "/territories", WEST, idempotency_key="draw-1")
    second = client.call("POST", "/territories", WEST, idempotency_key="draw-1")
    assert first.json() == second.json()
    assert (first.status_code, second.status_code) == (201, 201)
    assert second["Idempotent-Replayed"] == "true"
    assert Territory.objects.count() == 1
    other = client.call("POST", "/territories", {**WEST, "name": "Else"}, idempotency_key="draw-1")
    assert other.status_code == 409
    assert other.json()["error"]["details"]["reason"] == "idempotency_key_reused"


def test_explains_a_match(api, admin):
    client = api(admin)
    client.call("POST", "/territories", WEST)
    client.call("POST", "/territories", {"name": "US", "type": "geographic", "countries": ["US"]})
    answer = client.call(
        "POST",
        "/territories/match",
        {"country": "United States", "state": "ca", "postal_code": "94105-1234"},
    )
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["territory"]["name"] == "California"
    assert body["reason"] == "Matches zip code, state, country of California."
    assert [(one["name"], one["why"]) for one in body["losers"]] == [("US", "less specific")]


def test_explains_a_match_without_naming_what_is_out_of_reach(api, rep):
    TerritoryFactory(name="Secret", countries=["JP"])
    answer = api(rep).call("POST", "/territories/match", {"country": "JP"}).json()
    assert answer["territory"] is None
    assert answer["reason"] == "A territory out of your reach claims it."
    assert answer["losers"] == []
