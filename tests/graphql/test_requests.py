"""The request itself: sign-in, methods, malformed bodies."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from django.test import Client

from apps.leads.models import Lead
from tests.factories.leads import LeadFactory

COUNT = "{ leads { totalCount } }"
CREATE = """mutation { createLead(input: {source: "web", email: "a@b.example"}) { id } }"""


def post(client, body, **options):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.generic("POST", "/graphql", data=raw, content_type="application/json", **options)


def code_of(response):
    (error,) = json.loads(response.content)["errors"]
    return error["extensions"]["code"]


def test_strangers_are_refused(client, db):
    answer = post(client, {"query": COUNT})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert code_of(answer) == "UNAUTHORIZED"
    stale = post(client, {"query": COUNT}, HTTP_AUTHORIZATION="Bearer nonsense")
    assert (stale.status_code, code_of(stale)) == (401, "UNAUTHORIZED")


def test_a_session_needs_the_csrf_token_for_posts(rep):
    client = Client(enforce_csrf_checks=True)
    client.force_login(rep)
    refused = post(client, {"query": COUNT})
    assert (refused.status_code, code_of(refused)) == (403, "FORBIDDEN")
    client.get("/graphiql")
    token = client.cookies["csrftoken"].value
    allowed = post(client, {"query": COUNT}, HTTP_X_CSRFTOKEN=token)
    assert json.loads(allowed.content) == {"data": {"leads": {"totalCount": 0}}}


def test_queries_come_by_get_mutations_do_not(api, rep):
    LeadFactory(owner=rep)
    client = api(rep)
    query = "query($limit: Int) { leads(limit: $limit) { nodes { firstName } } }"
    asked = urlencode({"query": query, "variables": json.dumps({"limit": 1})})
    answer = client.get(f"/graphql?{asked}")
    assert json.loads(answer.content) == {"data": {"leads": {"nodes": [{"firstName": "John"}]}}}
    refused = client.get("/graphql?" + urlencode({"query": CREATE}))
    assert (refused.status_code, code_of(refused)) == (405, "METHOD_NOT_ALLOWED")
    assert Lead.objects.count() == 1
    assert client.generic("DELETE", "/graphql").status_code == 405


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'"text"',
        b"[1]",
        b'{"query": 1}',
        b'{"query": ""}',
        b'{"query": "{ leads { totalCount } }", "variables": []}',
        b'{"query": "{ leads { totalCount } }", "operationName": 1}',
        b'{"query": "{ leads { totalCount } }", "sql": "x"}',
        b'{"query": "{ leads {"}',
        b'{"query": "query A { leads { totalCount } } query B { leads { totalCount } }"}',
        b'{"query": "fragment F on Lead { id }"}',
        b'{"query": "{ leads { totalCount } }", "operationName": "Missing"}',
        b'{"query": "subscription { leads { totalCount } }"}',
        b'{"query": "\\u0000"}',
        b'{"query": "{ nothing }"}',
        b"\xff\xfe",
    ],
)
def test_what_makes_no_sense_is_refused(api, rep, body):
    answer = post(api(rep), body)
    assert answer.status_code == 400
    assert code_of(answer) == "VALIDATION_ERROR"


def test_other_media_types_are_refused(api, rep):
    answer = api(rep).generic("POST", "/graphql", data=COUNT, content_type="application/graphql")
    assert (answer.status_code, code_of(answer)) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_the_request_id_is_told_and_echoed(api, rep):
    answer = post(api(rep), {"query": "{ nothing }"}, HTTP_X_REQUEST_ID="abc-1")
    (error,) = json.loads(answer.content)["errors"]
    assert answer["X-Request-ID"] == error["extensions"]["request_id"] == "abc-1"
    assert answer["Cache-Control"] == "private, no-store"


def test_one_operation_of_several_is_chosen_by_name(api, rep):
    query = "query A { leads { totalCount } } query B { territories { id } }"
    answer = post(api(rep), {"query": query, "operationName": "B"})
    assert json.loads(answer.content) == {"data": {"territories": []}}


def test_a_failure_keeps_its_secrets(api, rep, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr("apps.core.graphql.queries.read_query", fail)
    answer = post(api(rep), {"query": COUNT})
    assert b"hunter2" not in answer.content
    assert code_of(answer) == "INTERNAL_ERROR"
