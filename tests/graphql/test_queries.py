"""Lists and rows over GraphQL: the same rows as REST, read in a handful of statements."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.opportunities.models import Pipeline, Stage
from apps.users.models import Role
from tests.factories.accounts import AccountFactory
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import default_pipeline, in_days, make_deal
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory

LEADS = """
query Leads($status: LeadStatus, $assignedTo: ID, $limit: Int, $offset: Int) {
  leads(status: $status, assignedTo: $assignedTo, limit: $limit, offset: $offset) {
    totalCount
    hasMore
    nodes {
      id status firstName lastName email phone company title score
      assignedTo { id name email } territory { id name } createdAt updatedAt
    }
  }
}
"""

DEALS = """
query Deals($limit: Int) {
  opportunities(limit: $limit) {
    nodes {
      id name stage amount probability expectedCloseDate dealScore
      account { id name industry owner { name email } territory { name type } }
      owner { id name email manager { name email } }
      territory { id name type owner { name role } parentTerritory { name type } }
    }
  }
}
"""


@pytest.fixture
def west(rep):
    territory = TerritoryFactory(name="West", owner=rep, parent_territory=TerritoryFactory())
    TerritoryMemberFactory(territory=territory, user=rep)
    return territory


def test_a_lead_looks_as_over_rest(ask, api, rep, west):
    lead = LeadFactory(owner=rep, territory=west, company="Acme", title="CEO", score=42)
    (rest,) = api(rep).call("GET", "/leads").json()["data"]

    answer = ask(rep, LEADS)

    assert answer.errors == []
    assert answer.data["leads"] == {
        "totalCount": 1,
        "hasMore": False,
        "nodes": [
            {
                "id": str(lead.pk),
                "status": "NEW",
                "firstName": "John",
                "lastName": lead.last_name,
                "email": lead.email,
                "phone": rest["phone"],
                "company": "Acme",
                "title": "CEO",
                "score": 42,
                "assignedTo": {"id": str(rep.pk), "name": "Rex Rep", "email": rep.email},
                "territory": {"id": str(west.pk), "name": "West"},
                "createdAt": rest["created_at"],
                "updatedAt": rest["updated_at"],
            }
        ],
    }


def test_leads_are_narrowed_and_paged_as_over_rest(ask, rep, manager):
    qualified = [LeadFactory(owner=rep, status="qualified") for _ in range(3)]
    LeadFactory(owner=rep)
    LeadFactory(owner=manager, status="qualified")

    answer = ask(manager, LEADS, status="QUALIFIED", assignedTo=rep.pk, limit=2)

    found = answer.data["leads"]
    assert (found["totalCount"], found["hasMore"]) == (3, True)
    assert [one["id"] for one in found["nodes"]] == [
        str(qualified[2].pk),
        str(qualified[1].pk),
    ]
    rest = ask(manager, LEADS, status="QUALIFIED", assignedTo=rep.pk, limit=2, offset=2)
    assert [one["id"] for one in rest.data["leads"]["nodes"]] == [str(qualified[0].pk)]


def test_pages_by_cursor(ask, rep):
    leads = [LeadFactory(owner=rep) for _ in range(3)]
    query = "query($c: String) { leads(limit: 2, cursor: $c) { nextCursor nodes { id } } }"
    first = ask(rep, query).data["leads"]
    second = ask(rep, query, c=first["nextCursor"]).data["leads"]
    assert [one["id"] for one in first["nodes"] + second["nodes"]] == [
        str(lead.pk) for lead in reversed(leads)
    ]
    assert second["nextCursor"] is None


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("limit: 201", "invalid_input"),
        ("limit: -1", "invalid_input"),
        ("offset: -5", "invalid_input"),
        ('assignedTo: "nobody"', "invalid_input"),
        ('createdAfter: "yesterday"', "invalid_input"),
        ('ordering: "phone"', "invalid_input"),
        ('cursor: "???"', "invalid_input"),
        ('search: " "', "invalid_input"),
    ],
)
def test_arguments_are_refused_as_parameters_are(ask, rep, arguments, reason):
    answer = ask(rep, f"{{ leads({arguments}) {{ nodes {{ id }} }} }}")
    assert answer.data is None
    assert answer.codes == [("VALIDATION_ERROR", reason)]


def test_the_total_is_only_counted_when_asked_for(ask, rep):
    LeadFactory(owner=rep)
    ask(rep, "{ leads { nodes { id } } }")
    with CaptureQueriesContext(connection) as without:
        ask(rep, "{ leads { nodes { id } } }")
    assert len(without) == 1


def deals(rep, west, count):
    for _ in range(count):
        account = AccountFactory(owner=rep, territory=west)
        make_deal(account=account, owner=rep)


def statements(ask, user, query, **variables):
    ask(user, query, **variables)
    with CaptureQueriesContext(connection) as captured:
        answer = ask(user, query, **variables)
    assert answer.errors == []
    return answer, len(captured)


def test_three_levels_take_the_same_few_statements_for_one_deal_and_for_fifty(ask, rep, west):
    deals(rep, west, 1)
    _, for_one = statements(ask, rep, DEALS, limit=50)
    deals(rep, west, 49)
    answer, for_fifty = statements(ask, rep, DEALS, limit=50)
    assert len(answer.data["opportunities"]["nodes"]) == 50
    assert for_one == for_fifty == 9


def test_cards_need_no_statement_of_their_own(ask, rep, west):
    deals(rep, west, 3)
    query = "{ opportunities { nodes { name account { id name } owner { id name } } } }"
    _, count = statements(ask, rep, query)
    assert count == 1


def test_fields_that_only_a_page_shows_are_read_for_all_rows_at_once(ask, rep, west):
    deals(rep, west, 5)
    query = "{ opportunities { nodes { name products metadata pushCount leadId } } }"
    answer, count = statements(ask, rep, query)
    assert count == 2
    assert answer.data["opportunities"]["nodes"][0]["products"] == []


def test_an_account_out_of_reach_shows_its_name_only(ask, rep, outsider):
    account = AccountFactory(owner=outsider, industry="Banking", name="Far Away Ltd")
    make_deal(account=account, owner=rep)
    answer = ask(rep, "{ opportunities { nodes { account { id name industry owner { name } } } } }")
    assert answer.errors == []
    assert answer.data["opportunities"]["nodes"] == [
        {
            "account": {
                "id": str(account.pk),
                "name": "Far Away Ltd",
                "industry": None,
                "owner": None,
            }
        }
    ]
    alone = ask(rep, "query($id: ID!) { account(id: $id) { name } }", id=account.pk)
    assert alone.data == {"account": None}
    assert alone.codes == [("NOT_FOUND", "not_found")]


def test_an_outsider_sees_nothing(ask, rep, outsider, west):
    lead = LeadFactory(owner=rep, territory=west)
    deal = make_deal(owner=rep, account=AccountFactory(owner=rep))
    everything = """
    query($lead: ID!, $deal: ID!, $owner: ID!) {
      leads { totalCount nodes { id } }
      opportunities { totalCount nodes { id } }
      territories { id }
      pipeline(ownerId: $owner, period: "FY_2026") { summary { totalCount } }
    }
    """
    answer = ask(outsider, everything, lead=lead.pk, deal=deal.pk, owner=rep.pk)
    assert answer.status == 400
    answer = ask(
        outsider,
        everything.replace("$lead: ID!, $deal: ID!, ", ""),
        owner=rep.pk,
    )
    assert answer.data == {
        "leads": {"totalCount": 0, "nodes": []},
        "opportunities": {"totalCount": 0, "nodes": []},
        "territories": [],
        "pipeline": {"summary": {"totalCount": 0}},
    }
    for name, row in (("lead", lead), ("opportunity", deal)):
        alone = ask(outsider, f"query($id: ID!) {{ {name}(id: $id) {{ id }} }}", id=row.pk)
        assert alone.codes == [("NOT_FOUND", "not_found")]


def test_restricted_fields_are_empty_without_the_right(ask, rep, admin):
    deal = make_deal(owner=rep, account=AccountFactory(owner=rep))
    query = "query($id: ID!) { opportunity(id: $id) { margin linesTotal } }"
    for user in (rep, admin):
        assert ask(user, query, id=deal.pk).errors == []
    sql = CaptureQueriesContext(connection)
    with sql:
        ask(rep, query, id=deal.pk)
    assert "unit_cost" not in str(sql.captured_queries)


def test_stages_of_other_pipelines_are_likened_to_the_canonical_ones(ask, rep):
    default_pipeline()
    deal = make_deal(owner=rep, account=AccountFactory(owner=rep))
    partners = Pipeline.objects.create(key="partners", name="Partners")
    pilot = Stage.objects.create(
        pipeline=partners,
        key="pilot",
        name="Pilot",
        position=1,
        kind="open",
        probability=60,
        forecast_category="pipeline",
        forward=[],
    )
    type(deal).objects.filter(pk=deal.pk).update(pipeline=partners, stage=pilot, stage_key="pilot")
    query = """query($stage: OpportunityStage, $key: String) {
      opportunities(stage: $stage, stageKey: $key) { nodes { stage stageKey pipeline } }
    }"""
    shown = [{"stage": "PROPOSAL", "stageKey": "pilot", "pipeline": "partners"}]
    assert ask(rep, query).data["opportunities"]["nodes"] == shown
    assert ask(rep, query, stage="PROPOSAL").data["opportunities"]["nodes"] == shown
    assert ask(rep, query, key="pilot").data["opportunities"]["nodes"] == shown
    assert ask(rep, query, stage="DISCOVERY").data["opportunities"]["nodes"] == []
    twice = ask(rep, query, stage="PROPOSAL", key="pilot")
    assert twice.codes == [("VALIDATION_ERROR", "invalid_input")]


def test_deals_are_narrowed_by_the_days_they_close_on(ask, rep):
    account = AccountFactory(owner=rep)
    for days in (10, 20, 30):
        make_deal(
            account=account,
            owner=rep,
            name=f"in {days}",
            expected_close_date=date.fromisoformat(in_days(days)),
        )
    query = """query($range: DateRange) {
      opportunities(expectedCloseDateRange: $range, ordering: "expected_close_date") {
        nodes { name }
      }
    }"""

    def names(**days):
        found = ask(rep, query, range=days).data["opportunities"]["nodes"]
        return [one["name"] for one in found]

    assert names(**{"from": in_days(10), "to": in_days(20)}) == ["in 10", "in 20"]
    assert names(**{"from": in_days(11)}) == ["in 20", "in 30"]
    assert names(to=in_days(10)) == ["in 10"]
    assert names() == ["in 10", "in 20", "in 30"]


def test_the_pipeline_is_the_one_of_rest(ask, api, rep):
    account = AccountFactory(owner=rep)
    make_deal(
        account=account,
        owner=rep,
        amount=Decimal("1000.10"),
        expected_close_date=date.fromisoformat(in_days(0)),
    )
    make_deal(account=account, owner=rep, amount=Decimal(500), stage="proposal")
    rest = api(rep).call("GET", f"/opportunities/pipeline?owner_id={rep.pk}").json()
    answer = ask(
        rep,
        """query($owner: ID!, $period: String!) {
          pipeline(ownerId: $owner, period: $period) {
            period ownerId currency
            summary { totalCount totalAmount weightedAmount }
            byStage { stage stageKey count totalAmount probability weightedAmount }
            overdue { count totalAmount }
            otherCurrencies { currency totalCount }
          }
        }""",
        owner=rep.pk,
        period=rest["period"],
    )
    assert answer.errors == []
    assert answer.data["pipeline"] == {
        "period": rest["period"],
        "ownerId": str(rep.pk),
        "currency": "USD",
        "summary": {"totalCount": 1, "totalAmount": 1000.1, "weightedAmount": 200.02},
        "byStage": [
            {
                "stage": "DISCOVERY",
                "stageKey": "discovery",
                "count": 1,
                "totalAmount": 1000.1,
                "probability": 20,
                "weightedAmount": 200.02,
            }
        ],
        "overdue": {"count": 0, "totalAmount": 0},
        "otherCurrencies": [],
    }
    wrong = ask(
        rep, 'query($o: ID!) { pipeline(ownerId: $o, period: "soon") { period } }', o=rep.pk
    )
    assert wrong.codes == [("VALIDATION_ERROR", "invalid_input")]


def test_territories_come_whole_and_narrowed(ask, rep, west, admin):
    TerritoryFactory(name="Closed", is_active=False, owner=admin)
    found = ask(rep, "{ territories(isActive: true) { name owner { name } zipCodes } }")
    assert found.data["territories"] == [
        {"name": "West", "owner": {"name": "Rex Rep"}, "zipCodes": []}
    ]
    mine = ask(admin, "query($o: ID) { territories(ownerId: $o) { name } }", o=admin.pk)
    assert mine.data["territories"] == [{"name": "Closed"}]


def test_a_read_only_person_reads(ask, rep, west):
    viewer = UserFactory(role=Role.READ_ONLY)
    TerritoryMemberFactory(territory=west, user=viewer)
    LeadFactory(territory=west)
    assert ask(viewer, "{ leads { totalCount } }").data == {"leads": {"totalCount": 1}}
