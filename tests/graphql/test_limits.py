"""Hostile queries are refused by their text, before the database is asked for anything."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories.leads import LeadFactory

NESTED = "parentTerritory { " * 40 + "name" + " }" * 40
ALIASES = " ".join(f"a{number}: leads {{ totalCount }}" for number in range(100))
SPREADS = "query { leads { nodes { ...F0 } } } " + " ".join(
    f"fragment F{number} on Lead {{ ...F{number + 1} ...F{number + 1} }}" for number in range(40)
)
HOSTILE = {
    "nesting": (f"{{ territories {{ {NESTED} }} }}", "query_too_costly"),
    "aliases": (f"{{ {ALIASES} }}", "query_too_costly"),
    "fragments that double": (
        SPREADS + " fragment F40 on Lead { id }",
        "query_too_costly",
    ),
    "fragments that double and end nowhere": (SPREADS, "query_invalid"),
    "a fragment in a circle": (
        "{ leads { nodes { ...F } } } fragment F on Lead { territory { ...G } } "
        "fragment G on Territory { ...H } fragment H on Territory { ...G }",
        "fragment_in_a_circle",
    ),
    "rows": (
        "{ territories { owner { manager { manager { manager { manager { name } } } } }"
        " parentTerritory { parentTerritory { parentTerritory { owner { manager { name"
        " email role timeZone isActive createdAt updatedAt } } } } }"
        " name type priority countries states zipCodes industry } }",
        "query_too_costly",
    ),
    "a limit in a variable": (
        "query($n: Int) { leads(limit: $n) { nodes { id } } }",
        "query_too_costly",
    ),
    "fields": (
        "{ leads { nodes { " + " ".join(["id"] * 600) + " } } }",
        "query_too_costly",
    ),
    "length": ("{ leads { totalCount } } #" + "x" * 20_000, "query_too_costly"),
    "tokens": ("{ leads { nodes { " + "@include(if: true) " * 400 + "} } }", "query_invalid"),
    "a number without end": (
        "{ leads(limit: " + "9" * 5_000 + ") { nodes { id } } }",
        "query_too_costly",
    ),
    "braces": ("{" * 1_900, "query_invalid"),
    "selections without end": (
        "{" + "a{" * 900 + "b" + "}" * 900 + "}",
        "query_invalid",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refuses_before_the_database_is_asked(ask, rep, name):
    query, reason = HOSTILE[name]
    ask(rep, "{ leads { totalCount } }")
    with CaptureQueriesContext(connection) as captured:
        answer = ask(rep, query, n=1_000_000)
    assert answer.status == 400
    assert answer.codes == [("VALIDATION_ERROR", reason)]
    assert len(captured) == 0


def test_says_what_is_too_much(ask, rep):
    query, _ = HOSTILE["aliases"]
    (error,) = ask(rep, query).errors
    assert error["message"] == "The number of fields at the top is 100; at most 20 is allowed."
    assert error["extensions"]["details"] == {
        "reason": "query_too_costly",
        "measured": "number of fields at the top",
        "found": 100,
        "allowed": 20,
    }


def test_a_batch_is_answered_in_order_up_to_ten(api, rep):
    LeadFactory(owner=rep)
    client = api(rep)

    def send(count):
        body = [{"query": "{ leads { totalCount } }"}, {"query": "{ territories { id } }"}]
        return client.generic(
            "POST",
            "/graphql",
            data=json.dumps((body * 6)[:count]).encode(),
            content_type="application/json",
        )

    two = send(2)
    assert json.loads(two.content) == [
        {"data": {"leads": {"totalCount": 1}}},
        {"data": {"territories": []}},
    ]
    assert send(10).status_code == 200
    for count in (11, 0):
        refused = send(count)
        assert refused.status_code == 400
        (error,) = json.loads(refused.content)["errors"]
        assert error["extensions"]["details"]["reason"] == "query_too_costly"


def test_the_cost_is_told(ask, rep):
    answer = ask(rep, "{ leads(limit: 10) { totalCount nodes { id email } } }")
    assert answer.response["X-Query-Cost"] == str(100 + 1 + 10 * (1 + 1 + 1 + 1))


def test_the_whole_of_the_page_is_within_the_limits(ask, rep):
    LeadFactory(owner=rep)
    query = """{ leads(limit: 200) { nodes {
      id status firstName lastName email phone company title score createdAt updatedAt
      assignedTo { id name email manager { id name } }
      territory { id name owner { id name } parentTerritory { id name } }
    } } }"""
    assert ask(rep, query).errors == []


def test_production_neither_explains_the_schema_nor_hints_at_it(ask, rep, client, settings):
    settings.GRAPHQL_EXPLORABLE = False
    for query in ("{ __schema { types { name } } }", '{ __type(name: "Lead") { name } }'):
        answer = ask(rep, query)
        assert answer.codes == [("VALIDATION_ERROR", "query_invalid")]
    (hint,) = ask(rep, "{ leeds { totalCount } }").errors
    assert "leads" not in hint["message"]
    assert client.get("/graphiql").status_code == 404
    assert ask(rep, "{ leads { __typename } }").data == {"leads": {"__typename": "LeadConnection"}}


def test_locally_the_schema_explains_itself(ask, rep, client):
    answer = ask(rep, "{ __schema { queryType { name } } }")
    assert answer.data == {"__schema": {"queryType": {"name": "Query"}}}
    page = client.get("/graphiql")
    assert page.status_code == 200
    assert b"graphiql.min.js" in page.content
