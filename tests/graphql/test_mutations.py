"""Mutations: what they return, idempotency, and input that makes no sense."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.models import BusinessEvent, IdempotencyKey
from apps.leads.models import Lead
from apps.users.models import Role
from tests.factories.accounts import AccountFactory
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import default_pipeline, in_days, make_deal
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory

CREATE = """mutation($input: CreateLeadInput!) {
  createLead(input: $input) {
    id status email firstName score phone assignedTo { name } territory { name } createdAt
  }
}"""
JOHN = {"source": "webinar", "email": "John@Acme.example", "firstName": "John"}


def test_a_lead_comes_back_whole(ask, rep):
    answer = ask(
        rep, CREATE, input={**JOHN, "annualRevenue": 1234567890123.45, "metadata": {"a": 1}}
    )
    assert answer.errors == []
    lead = Lead.objects.get()
    made = answer.data["createLead"]
    assert {name: made[name] for name in ("id", "status", "email", "firstName", "score")} == {
        "id": str(lead.pk),
        "status": "NEW",
        "email": "John@Acme.example",
        "firstName": "John",
        "score": lead.score,
    }
    assert lead.annual_revenue == Decimal("1234567890123.45")
    assert lead.metadata == {"a": 1}
    assert BusinessEvent.objects.get(name="lead.created").door == "graphql"


def test_a_lead_that_is_routed_out_of_reach_shows_what_its_maker_said(ask, rep, outsider):
    TerritoryFactory(name="Far", countries=["NZ"], owner=outsider)
    answer = ask(rep, CREATE, input={**JOHN, "country": "NZ", "phone": "+64 21 123 456"})
    lead = Lead.objects.get()
    assert lead.owner == outsider
    assert answer.errors == []
    made = answer.data["createLead"]
    assert (made["id"], made["email"], made["phone"], made["assignedTo"]) == (
        str(lead.pk),
        "John@Acme.example",
        None,
        None,
    )


def test_a_known_lead_is_updated_when_that_is_asked_for(ask, rep):
    known = LeadFactory(owner=rep, email="john@acme.example")
    query = """mutation($input: CreateLeadInput!) {
      createLead(input: $input, onDuplicate: "update") { id title }
    }"""
    answer = ask(rep, query, input={**JOHN, "title": "CEO"})
    assert answer.data == {"createLead": {"id": str(known.pk), "title": "CEO"}}
    assert Lead.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"firstName": "x" * 101}, "firstName"),
        ({"employeeCount": -1}, "employeeCount"),
        ({"annualRevenue": -1}, "annualRevenue"),
        ({"currency": "ABC"}, "currency"),
        ({"score": 101}, "score"),
        ({"assignedTo": "nobody"}, "assignedTo"),
        ({"lastName": "a\u0001b"}, "lastName"),
    ],
)
def test_wrong_facts_are_refused_at_their_fields(ask, rep, wrong, field):
    answer = ask(rep, CREATE, input={**JOHN, **wrong})
    assert answer.data is None
    (error,) = answer.errors
    assert error["extensions"]["code"] == "VALIDATION_ERROR"
    assert list(error["extensions"]["details"]["fields"]) == [field]
    assert error["message"].startswith(f"{field}: ")
    assert Lead.objects.count() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"unknown": 1},
        {"employeeCount": "many"},
        {"email": None},
        {"employeeCount": 2**31},
        {"annualRevenue": "1"},
        {"firstName": 5},
    ],
)
def test_what_the_schema_does_not_allow_is_refused(ask, rep, wrong):
    answer = ask(rep, CREATE, input={**JOHN, **wrong})
    assert answer.codes == [("VALIDATION_ERROR", "query_invalid")]
    assert Lead.objects.count() == 0


def test_a_deal_with_lines_and_a_lead(ask, rep):
    default_pipeline()
    account = AccountFactory(owner=rep)
    answer = ask(
        rep,
        """mutation($input: CreateOpportunityInput!) {
          createOpportunity(input: $input) {
            name stage stageKey amount probability expectedCloseDate account { id }
            owner { id } lead { id }
          }
        }""",
        input={
            "name": "Acme Corp - Enterprise Plan",
            "accountId": account.pk,
            "stage": "DISCOVERY",
            "amount": 120000.00,
            "expectedCloseDate": in_days(60),
            "probability": 25,
            "metadata": {"competition": ["Competitor A"]},
        },
    )
    assert answer.errors == []
    assert answer.data["createOpportunity"] == {
        "name": "Acme Corp - Enterprise Plan",
        "stage": "DISCOVERY",
        "stageKey": "discovery",
        "amount": 120000,
        "probability": 25,
        "expectedCloseDate": in_days(60),
        "account": {"id": str(account.pk)},
        "owner": {"id": str(rep.pk)},
        "lead": None,
    }


def test_a_stale_version_is_a_conflict(ask, rep):
    deal = make_deal(owner=rep, account=AccountFactory(owner=rep))
    answer = ask(
        rep,
        """mutation($id: ID!) {
          updateOpportunityStage(opportunityId: $id, stage: PROPOSAL, version: 7) { id }
        }""",
        id=deal.pk,
    )
    assert answer.codes == [("CONFLICT", "stale_version")]


def test_what_is_out_of_reach_is_not_there(ask, rep, outsider):
    deal = make_deal(owner=rep, account=AccountFactory(owner=rep))
    query = """mutation($id: ID!) {
      updateOpportunityStage(opportunityId: $id, stage: PROPOSAL) { id }
    }"""
    assert ask(outsider, query, id=deal.pk).codes == [("NOT_FOUND", "not_found")]
    assert ask(outsider, query, id="1").codes == [("VALIDATION_ERROR", "invalid_input")]
    deal.refresh_from_db()
    assert deal.stage_key == "discovery"


def test_a_read_only_person_is_refused(ask, db):
    answer = ask(UserFactory(role=Role.READ_ONLY), CREATE, input=JOHN)
    assert answer.codes == [("FORBIDDEN", "permission_missing")]
    assert Lead.objects.count() == 0


def test_mutations_run_one_after_the_other_and_each_alone(ask, rep):
    deal = make_deal(owner=rep, account=AccountFactory(owner=rep))
    answer = ask(
        rep,
        """mutation($id: ID!) {
          first: updateOpportunityStage(opportunityId: $id, stage: QUALIFICATION) { stage }
          second: updateOpportunityStage(opportunityId: $id, stage: CLOSED_WON) { stage }
        }""",
        id=deal.pk,
    )
    assert answer.codes == [("VALIDATION_ERROR", "stage_move_not_allowed")]
    deal.refresh_from_db()
    assert deal.stage_key == "qualification"


def test_the_receipt_alone_needs_no_reading(ask, rep):
    deal = make_deal(owner=rep, account=AccountFactory(owner=rep))
    query = """mutation($id: ID!, $stage: OpportunityStage!) {
      updateOpportunityStage(opportunityId: $id, stage: $stage) { id }
    }"""
    with CaptureQueriesContext(connection) as captured:
        ask(rep, query, id=deal.pk, stage="PROPOSAL")
    reads = [one for one in captured.captured_queries if "to_char" in one["sql"]]
    assert reads == []


# --- Idempotency ------------------------------------------------------------------------------


def test_a_repeat_under_the_same_key_happens_once_and_looks_the_same(ask, rep):
    headers = {"Idempotency-Key": "k-1"}
    first = ask(rep, CREATE, headers=headers, input=JOHN)
    second = ask(rep, CREATE, headers=headers, input=JOHN)
    assert first.errors == second.errors == []
    assert first.data == second.data
    assert Lead.objects.count() == 1
    stored = IdempotencyKey.objects.get()
    assert "acme" not in str(stored.answer).lower()


def test_another_request_under_the_same_key_is_refused(ask, rep):
    headers = {"Idempotency-Key": "k-1"}
    ask(rep, CREATE, headers=headers, input=JOHN)
    other = ask(rep, CREATE, headers=headers, input={**JOHN, "email": "other@acme.example"})
    assert other.codes == [("CONFLICT", "idempotency_key_reused")]
    assert Lead.objects.count() == 1


def test_a_refusal_is_repeated_in_the_same_words(ask, rep):
    LeadFactory(owner=rep, email="john@acme.example")
    headers = {"Idempotency-Key": "k-2"}
    first = ask(rep, CREATE, headers=headers, input=JOHN)
    Lead.objects.all().delete()
    second = ask(rep, CREATE, headers=headers, input=JOHN)
    assert first.codes == second.codes == [("CONFLICT", "duplicate_lead")]
    assert first.errors[0]["extensions"]["details"] == second.errors[0]["extensions"]["details"]
    assert Lead.objects.count() == 0


def test_each_mutation_of_a_request_has_its_own_outcome(ask, rep):
    headers = {"Idempotency-Key": "k-3"}
    query = """mutation($one: CreateLeadInput!, $two: CreateLeadInput!) {
      one: createLead(input: $one) { id }
      two: createLead(input: $two) { id }
    }"""
    given = {"one": JOHN, "two": {**JOHN, "email": "two@acme.example"}}
    first = ask(rep, query, headers=headers, **given)
    second = ask(rep, query, headers=headers, **given)
    assert first.data == second.data
    assert Lead.objects.count() == 2


@pytest.mark.parametrize("key", ["", "x" * 201, "a\u0007b"])
def test_a_key_that_makes_no_sense_is_refused(ask, rep, key):
    answer = ask(rep, CREATE, headers={"Idempotency-Key": key}, input=JOHN)
    assert answer.codes == [("VALIDATION_ERROR", "invalid_input")]
    assert Lead.objects.count() == 0


def test_an_assignment_shows_where_the_lead_went(ask, manager):
    own = TerritoryFactory(owner=manager)
    TerritoryMemberFactory(territory=own, user=manager)
    lead = LeadFactory(territory=own)
    answer = ask(
        manager,
        """mutation($input: AssignTerritoryInput!) {
          assignTerritory(input: $input) { leadId territory { name } lead { id } }
        }""",
        input={"leadId": lead.pk, "territoryId": own.pk},
    )
    assert answer.errors == []
    assert answer.data["assignTerritory"]["leadId"] == str(lead.pk)
    assert answer.data["assignTerritory"]["lead"] == {"id": str(lead.pk)}
