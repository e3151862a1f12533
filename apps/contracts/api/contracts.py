"""`/contracts`: what was agreed with the customers of won deals."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from apps.contracts.fields import CONTRACTS
from apps.contracts.services.contracts import (
    acknowledge_contract,
    acknowledge_sale,
    change_contract,
    create_contract,
)
from apps.core.actors import Actor
from apps.core.api.bodies import Body, Identifier, Text, WholeNumber
from apps.core.api.endpoint import Endpoint, listed, operation, shown
from apps.core.api.schema import row_serializer
from apps.opportunities.api.bodies import MOST_LINES, Payment
from apps.opportunities.fields import OPPORTUNITIES
from apps.opportunities.models import Opportunity

TAGS = ("contracts",)


class Terms(Body):
    """What is agreed; what is left out stays, or is what the deal says."""

    contract_term = WholeNumber(min_value=1, max_value=1200, required=False)
    start_date = serializers.DateField(required=False)
    payment_terms = Text(max_length=50, required=False)
    billing_frequency = serializers.ChoiceField(
        Opportunity.BillingFrequency.choices, required=False
    )
    payment_schedule = serializers.ListField(
        child=Payment(),
        required=False,
        min_length=1,
        max_length=MOST_LINES,
        help_text="Comes to the amount; without it the payments are worked out.",
    )


class NewContract(Terms):
    """The won deal that a contract is drawn up for."""

    opportunity_id = Identifier()


class Acknowledgement(Body):
    """The number under which billing keeps a contract."""

    external_id = Text(max_length=100)
    external_system = Text(max_length=50, default="billing")


class SaleAcknowledgement(NewContract, Acknowledgement):
    """The won deal that billing made a contract of, and its number there."""


class ContractCollection(Endpoint):
    """`/contracts`."""

    get = listed(CONTRACTS, summary="Contracts within reach", tags=TAGS)

    @operation(
        summary="Draw up the contract of a won opportunity",
        body=NewContract,
        answer=row_serializer(CONTRACTS, detail=True),
        status=201,
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        return CONTRACTS.one(actor, create_contract(**body, actor=actor).pk)


class ContractItem(Endpoint):
    """`/contracts/{contract_id}`."""

    get = shown(CONTRACTS, summary="A contract, with its payments and products", tags=TAGS)

    @operation(
        summary="Change the terms of a contract",
        body=Terms,
        answer=row_serializer(CONTRACTS, detail=True),
        tags=TAGS,
    )
    def put(self, actor: Actor, contract_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        change_contract(contract_id=contract_id, **body, actor=actor)
        return CONTRACTS.one(actor, contract_id)

    patch = put


class ContractAcknowledgement(Endpoint):
    """`/contracts/{contract_id}/acknowledge`."""

    @operation(
        summary="Say under which number billing keeps a contract",
        body=Acknowledgement,
        answer=row_serializer(CONTRACTS, detail=True),
        tags=TAGS,
    )
    def post(self, actor: Actor, contract_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        acknowledge_contract(contract_id=contract_id, **body, actor=actor)
        return CONTRACTS.one(actor, contract_id)


class SaleAcknowledged(Endpoint):
    """`/contracts/sales`."""

    @operation(
        summary="Say that billing made a contract of a won opportunity",
        body=SaleAcknowledgement,
        answer=row_serializer(CONTRACTS, detail=True),
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        return CONTRACTS.one(actor, acknowledge_sale(**body, actor=actor).pk)


class OpportunityContracts(Endpoint):
    """`/opportunities/{opportunity_id}/contracts`."""

    get = listed(
        CONTRACTS,
        within=OPPORTUNITIES,
        stated="opportunity_id",
        summary="The contracts of an opportunity, the void ones too",
        tags=TAGS,
    )
