"""Reading leads: scope, filters, order, pages, and what it costs."""

from __future__ import annotations

import pytest

from tests.factories.leads import LeadFactory
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory


@pytest.fixture
def territory(rep):
    territory = TerritoryFactory(name="West")
    TerritoryMemberFactory(territory=territory, user=rep)
    return territory


def _ids(answer):
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["data"]]


def test_a_rep_sees_own_leads_and_those_of_own_territories(api, rep, outsider, territory):
    own = LeadFactory(owner=rep)
    near = LeadFactory(territory=territory, owner=outsider)
    both = LeadFactory(territory=territory, owner=rep)
    LeadFactory(owner=outsider)
    LeadFactory()
    assert _ids(api(rep).call("GET", "/leads")) == [str(both.pk), str(near.pk), str(own.pk)]


def test_a_manager_sees_what_the_team_sees_and_the_unrouted_queue(
    api, manager, rep, outsider, territory
):
    seen = [
        LeadFactory(owner=rep),
        LeadFactory(territory=territory),
        LeadFactory(territory=TerritoryFactory(parent_territory=territory)),
        LeadFactory(),
    ]
    LeadFactory(owner=outsider)
    assert sorted(_ids(api(manager).call("GET", "/leads"))) == sorted(str(one.pk) for one in seen)


def test_rows_have_the_shape_of_the_source(api, rep):
    lead = LeadFactory(owner=rep, status="qualified", score=85)
    row = api(rep).call("GET", "/leads?status=qualified").json()["data"][0]
    assert row["assigned_to"] == {"id": str(rep.pk), "name": "Rex Rep"}
    assert row["email"] == lead.email
    assert row["created_at"] == lead.created_at.isoformat().replace("+00:00", "Z")
    assert "metadata" not in row
    detail = api(rep).call("GET", f"/leads/{lead.pk}")
    assert detail.json()["metadata"] == {}
    assert detail["ETag"] == '"1"'


def test_filters_narrow(api, rep):
    first = LeadFactory(owner=rep, score=10, source="ads", company="Zeta Works")
    second = LeadFactory(owner=rep, score=60, status="contacted", country="DE")
    client = api(rep)
    for query, expected in {
        "status=new": [first],
        "status=new,contacted&ordering=score": [first, second],
        "score_min=50": [second],
        "score_max=50": [first],
        "source=ads": [first],
        "country=DE": [second],
        "search=zeta wor": [first],
        "search=nothing": [],
        f"assigned_to={rep.pk}&ordering=-score": [second, first],
        "created_after=2100-01-01": [],
        "created_before=2100-01-01T00:00:00Z&ordering=created_at": [first, second],
    }.items():
        assert _ids(client.call("GET", f"/leads?{query}")) == [str(one.pk) for one in expected]


@pytest.mark.parametrize(
    "query",
    [
        "status=lost",
        "score_min=high",
        "assigned_to=me",
        "created_after=yesterday",
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=0000000019999999",
        "limit=%C2%B2",
        "offset=-1",
        "ordering=email",
        "cursor=abc",
        "search=%20",
        "search=a%00b",
        "colour=red",
        "score_min=99999999999999",
        "created_after=0001-01-01T00:00:00%2B23:59",
    ],
)
def test_refuses_parameters_that_make_no_sense(api, rep, query):
    answer = api(rep).call("GET", f"/leads?{query}")
    assert answer.status_code == 400, answer.content
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"


@pytest.mark.parametrize(
    "path", ["/leads?source=ads&source=web", "/leads/export.csv?limit=1&limit=1"]
)
def test_refuses_a_parameter_that_is_given_twice(api, admin, path):
    answer = api(admin).call("GET", path)
    assert answer.status_code == 400, answer.content
    error = answer.json()["error"]
    assert (error["code"], error["details"]["reason"]) == ("VALIDATION_ERROR", "repeated_parameter")
    name = path.partition("?")[2].partition("=")[0]
    assert error["details"]["fields"] == {name: ["This parameter is given more than once."]}


@pytest.mark.parametrize("ordering", ["-created_at", "created_at", "-score", "score"])
def test_cursors_page_through_everything_once(api, rep, territory, ordering):
    leads = [LeadFactory(owner=rep, territory=territory, score=n % 3) for n in range(7)]
    client, seen, cursor = api(rep), [], ""
    while cursor is not None:
        page = client.call("GET", f"/leads?limit=3&ordering={ordering}&cursor={cursor}").json()
        seen += [row["id"] for row in page["data"]]
        cursor = page["pagination"]["next_cursor"]
        assert page["pagination"]["has_more"] is (cursor is not None)
        assert page["pagination"]["total"] == 7
    assert sorted(seen) == sorted(str(lead.pk) for lead in leads)


def test_offsets_page_like_the_source(api, rep):
    leads = [LeadFactory(owner=rep) for _ in range(5)]
    page = api(rep).call("GET", "/leads?limit=2&offset=2").json()
    assert [row["id"] for row in page["data"]] == [str(leads[2].pk), str(leads[1].pk)]
    assert page["pagination"]["has_more"] is True


def test_a_lead_out_of_reach_does_not_exist(api, rep, outsider):
    lead = LeadFactory(owner=outsider)
    client = api(rep)
    for method, path in [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/qualify"),
        ("GET", "/score"),
        ("GET", "/duplicates"),
    ]:
        body = {} if method != "GET" else None
        assert client.call(method, f"/leads/{lead.pk}{path}", body).status_code in (403, 404)
    lead.refresh_from_db()
    assert (lead.version, lead.status, lead.deleted_at) == (1, "new", None)


def test_a_list_costs_three_statements_however_long(api, rep, territory, django_assert_num_queries):
    for _ in range(60):
        LeadFactory(owner=rep, territory=territory)
    client = api(rep)
    client.call("GET", "/leads?limit=1")
    with django_assert_num_queries(1):
        client.call("GET", "/leads?limit=50")


def test_an_export_streams_the_filtered_list(api, rep):
    LeadFactory(owner=rep, company="=cmd()", status="contacted")
    LeadFactory(owner=rep)
    answer = api(rep).call("GET", "/leads/export.csv?status=contacted")
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert len(lines) == 2
    assert lines[0].startswith('"id","status","source"')
    assert '"\'=cmd()"' in lines[1]
    assert "Rex Rep" in lines[1]
    answer = api(rep).call("GET", "/leads/export.xlsx")
    assert b"".join(answer.streaming_content)[:2] == b"PK"
    assert api(rep).call("GET", "/leads/export.csv?colour=red").status_code == 400
