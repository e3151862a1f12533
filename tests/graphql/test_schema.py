"""The schema holds everything that the source's does, name by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from graphql import build_schema, parse
from graphql.language import ObjectTypeDefinitionNode, OperationDefinitionNode, print_ast

from salesplatform.schema import schema
from tests.factories.opportunities import default_pipeline

# sales-system-integrations, GraphQL API.
SOURCE = """
type Query {
  leads(status: LeadStatus, assignedTo: ID, territoryId: ID, limit: Int, offset: Int):
    LeadConnection!
  opportunities(
    stage: OpportunityStage, ownerId: ID, expectedCloseDateRange: DateRange, limit: Int,
    offset: Int
  ): OpportunityConnection!
  pipeline(ownerId: ID!, period: String!): Pipeline!
  territories(ownerId: ID, isActive: Boolean): [Territory!]!
}

type Mutation {
  createLead(input: CreateLeadInput!): Lead!
  convertLead(leadId: ID!, input: ConvertLeadInput!): Opportunity!
  createOpportunity(input: CreateOpportunityInput!): Opportunity!
  updateOpportunityStage(opportunityId: ID!, stage: OpportunityStage!): Opportunity!
  assignTerritory(input: AssignTerritoryInput!): TerritoryAssignment!
  createForecast(input: CreateForecastInput!): Forecast!
}

type Lead {
  id: ID!
  status: LeadStatus!
  firstName: String
  lastName: String
  email: String!
  phone: String
  company: String
  title: String
  score: Int
  assignedTo: User
  territory: Territory
  createdAt: DateTime!
  updatedAt: DateTime!
}

type Opportunity {
  id: ID!
  name: String!
  account: Account!
  stage: OpportunityStage!
  amount: Float
  probability: Int
  expectedCloseDate: Date
  owner: User!
  territory: Territory
  dealScore: Int
  createdAt: DateTime!
  updatedAt: DateTime!
}
"""


def test_every_type_field_and_argument_of_the_source_is_there():
    ours = schema.graphql_schema
    for definition in parse(SOURCE).definitions:
        assert isinstance(definition, ObjectTypeDefinitionNode)
        fields = ours.type_map[definition.name.value].fields
        for wanted in definition.fields:
            field = fields[wanted.name.value]
            assert str(field.type) == print_ast(wanted.type)
            arguments = {name: str(one.type) for name, one in field.args.items()}
            for argument in wanted.arguments:
                assert arguments[argument.name.value] == print_ast(argument.type)


def test_additions_are_optional():
    ours = schema.graphql_schema
    for definition in parse(SOURCE).definitions:
        for wanted in definition.fields:
            known = {argument.name.value for argument in wanted.arguments}
            added = ours.type_map[definition.name.value].fields[wanted.name.value].args
            required = {name for name, one in added.items() if str(one.type).endswith("!")}
            assert required <= known


def test_enumerations_are_the_platform_s_own():
    types = schema.graphql_schema.type_map
    assert list(types["LeadStatus"].values) == [
        "NEW",
        "CONTACTED",
        "QUALIFIED",
        "UNQUALIFIED",
        "CONVERTED",
    ]
    assert list(types["OpportunityStage"].values) == [
        "DISCOVERY",
        "QUALIFICATION",
        "PROPOSAL",
        "NEGOTIATION",
        "CLOSED_WON",
        "CLOSED_LOST",
    ]


def test_connections_have_nodes_total_and_more():
    for name in ("LeadConnection", "OpportunityConnection"):
        fields = schema.graphql_schema.type_map[name].fields
        kind = name.removesuffix("Connection")
        assert {one: str(fields[one].type) for one in ("nodes", "totalCount", "hasMore")} == {
            "nodes": f"[{kind}!]!",
            "totalCount": "Int!",
            "hasMore": "Boolean!",
        }


def test_every_field_of_a_row_comes_from_its_listing():
    build_schema(str(schema))
    beyond = {
        "Opportunity": {"stage_key", "lead"},
        "Forecast": {"current_pipeline", "pipeline_coverage"},
    }
    for name, kind in schema.graphql_schema.type_map.items():
        listing = getattr(getattr(kind, "graphene_type", None), "_meta", None)
        listing = getattr(listing, "listing", None)
        if listing is not None:
            shown = set(kind.graphene_type._meta.fields)
            assert shown - beyond.get(name, set()) == {one.name for one in listing.fields}


EXAMPLES = Path("docs/api/examples.graphql").read_text()
VARIABLES = json.loads(Path("docs/api/examples.json").read_text())
OPERATIONS = {
    one.name.value: one
    for one in parse(EXAMPLES).definitions
    if isinstance(one, OperationDefinitionNode)
}


def test_the_examples_cover_every_operation_with_variables_of_its_own():
    assert set(VARIABLES) == set(OPERATIONS)
    used = {
        field.name.value for one in OPERATIONS.values() for field in one.selection_set.selections
    }
    types = schema.graphql_schema.type_map
    assert used == {*types["Query"].fields, *types["Mutation"].fields}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_example_is_answered_or_refused_for_its_ids_alone(api, admin, name):
    default_pipeline()
    answer = api(admin).generic(
        "POST",
        "/graphql",
        data=json.dumps(
            {"query": EXAMPLES, "operationName": name, "variables": VARIABLES[name]}
        ).encode(),
        content_type="application/json",
    )
    assert answer.status_code == 200, answer.content
    for error in json.loads(answer.content).get("errors", []):
        details = error["extensions"]["details"]
        is_missing = error["extensions"]["code"] == "NOT_FOUND"
        assert is_missing or list(details["fields"])[0].endswith("Id")
