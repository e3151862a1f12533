"""Opportunities and pipelines in the GraphQL schema (sales-system-integrations, GraphQL API)."""

from __future__ import annotations

from typing import Any

import graphene

from apps.accounts.graphql import Account
from apps.core.actors import Actor
from apps.core.api.bodies import Body
from apps.core.graphql.commands import Receipt, command
from apps.core.graphql.inputs import arguments_of, given, input_of
from apps.core.graphql.queries import Narrowing, days, identifier_of, listed, shown
from apps.core.graphql.rows import Row, RowType, one_row
from apps.core.graphql.scalars import enumeration
from apps.leads.fields import LEADS
from apps.leads.graphql import Lead
from apps.opportunities import rules
from apps.opportunities.api.bodies import Conversion, NewDeal, StageMove
from apps.opportunities.api.pipelines import PipelineQuery, pipeline_asked_for
from apps.opportunities.fields import OPPORTUNITIES
from apps.opportunities.models import Opportunity as Deal
from apps.opportunities.selectors import canonical_stage_of, canonical_stages
from apps.opportunities.services.conversion import convert_lead
from apps.opportunities.services.deals import create_opportunity
from apps.opportunities.services.stages import move_opportunity
from apps.territories.graphql import Territory
from apps.users.graphql import User

OpportunityStage = enumeration(
    rules.CanonicalStage,
    "OpportunityStage",
    "The stages of the default pipeline; `stageKey` names those of others.",
)


class Opportunity(RowType):
    """A deal being worked. `stage` is the stage of the default pipeline that its own is like."""

    class Meta:
        listing = OPPORTUNITIES
        required = ("name", "account", "stage", "owner", "created_at", "updated_at")
        related = {"account": Account, "owner": User, "territory": Territory}
        enums = {"stage": OpportunityStage}

    stage_key = graphene.String(required=True, description="The stage in its own pipeline.")
    lead = graphene.Field(Lead, description="What it came of; null out of reach.")

    def resolve_stage(deal: Row, info: graphene.ResolveInfo) -> str:  # noqa: N805
        """The canonical stage."""
        return canonical_stage_of(deal.get("stage"))

    def resolve_lead(deal: Row, info: graphene.ResolveInfo) -> Row | None:  # noqa: N805
        """The lead, if it is within reach."""
        lead = deal.linked("lead_id", LEADS)
        return lead if lead and lead.get("status") else None

    def resolve_stage_key(deal: Row, info: graphene.ResolveInfo) -> str:  # noqa: N805
        """The stage as its own pipeline names it."""
        return str(deal.get("stage"))


class StageSummary(graphene.ObjectType):
    """What is in one stage."""

    stage = OpportunityStage(required=True)
    stage_key = graphene.String(required=True)
    count = graphene.Int(required=True)
    total_amount = graphene.Float(required=True)
    probability = graphene.Int(required=True)
    weighted_amount = graphene.Float(required=True)


class PipelineSummary(graphene.ObjectType):
    """How many deals, and what they are worth."""

    total_count = graphene.Int(required=True)
    total_amount = graphene.Float(required=True)
    weighted_amount = graphene.Float(required=True)


class OverdueSummary(graphene.ObjectType):
    """What should have closed already."""

    count = graphene.Int(required=True)
    total_amount = graphene.Float(required=True)


class CurrencySummary(PipelineSummary):
    """Deals in another currency, which are not mixed in."""

    currency = graphene.String(required=True)


class Pipeline(graphene.ObjectType):
    """Open deals expected to close in a period."""

    period = graphene.String(required=True)
    owner_id = graphene.ID()
    currency = graphene.String(required=True)
    summary = graphene.Field(PipelineSummary, required=True)
    by_stage = graphene.List(graphene.NonNull(StageSummary), required=True)
    overdue = graphene.Field(OverdueSummary, required=True)
    other_currencies = graphene.List(graphene.NonNull(CurrencySummary), required=True)


def _pipeline(
    root: None, info: graphene.ResolveInfo, *, owner_id: str, period: str
) -> dict[str, Any]:
    query = given(PipelineQuery, {"owner_id": owner_id, "period": period})
    answer = pipeline_asked_for(info.context.actor, query)
    stages = [
        {**one, "stage_key": one["stage"], "stage": canonical_stage_of(one["stage"])}
        for one in answer["by_stage"]
    ]
    return {**answer, "by_stage": stages}


def _keys_like(chosen: Any) -> dict[str, str]:
    alike = [key for key, likened in canonical_stages().items() if likened == chosen.value]
    return {"stage": ",".join(alike)}


class Query(graphene.ObjectType):
    """What can be asked of opportunities."""

    class Meta:
        abstract = True

    opportunities = listed(
        Opportunity,
        order=("stage", "owner_id", "expected_close_date_range"),
        narrowings={
            "stage": Narrowing(graphene.Argument(OpportunityStage), _keys_like, ("stage",)),
            "stage_key": Narrowing(
                graphene.Argument(graphene.String, description="Stages of any pipeline."),
                lambda keys: {"stage": keys},
            ),
            "expected_close_date_range": days(
                "expected_close_date",
                after="expected_close_after",
                before="expected_close_before",
            ),
        },
    )
    opportunity = shown(Opportunity)
    pipeline = graphene.Field(
        Pipeline,
        required=True,
        owner_id=graphene.ID(required=True),
        period=graphene.String(required=True, description="Such as Q1_2026."),
        resolver=_pipeline,
        description=Pipeline.__doc__,
    )


def _receipt(deal: Deal, actor: Actor) -> Receipt:
    """What is kept of a deal; more than its id only where the actor does not see it."""
    if actor.reach.includes(owner_id=deal.owner_id, territory_id=deal.territory_id):
        return {"id": deal.pk}
    return {
        "id": deal.pk,
        "name": deal.name,
        "stage": deal.stage_key,
        "account": {"id": deal.account_id, "name": deal.account.name},
        "owner": {"id": deal.owner_id, "name": deal.owner.name},
        "created_at": deal.created_at,
        "updated_at": deal.updated_at,
    }


def _shown(actor: Actor, receipt: Receipt, **_: Any) -> Row:
    return one_row(OPPORTUNITIES, actor, receipt)


def _staged(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts as REST takes them: one stage, by its key."""
    rest = {name: value for name, value in facts.items() if name != "stage_key"}
    return {**rest, "stage": facts["stage_key"]} if facts.get("stage_key") else rest


def _convert(actor: Actor, lead_id: str, input: dict[str, Any]) -> Receipt:  # noqa: A002
    """Make a lead a deal of an account, with its person as a contact there."""
    lead = identifier_of("leadId", lead_id)
    facts = given(Conversion, _staged(input))
    return _receipt(convert_lead(lead_id=lead, **facts, actor=actor), actor)


def _create(actor: Actor, input: dict[str, Any]) -> Receipt:  # noqa: A002
    """Begin an opportunity."""
    return _receipt(create_opportunity(**given(NewDeal, _staged(input)), actor=actor), actor)


def _move(actor: Actor, opportunity_id: str, **facts: Any) -> Receipt:
    """Take an opportunity to another stage."""
    deal = identifier_of("opportunityId", opportunity_id)
    move = given(StageMove, _staged(facts))
    return _receipt(move_opportunity(opportunity_id=deal, **move, actor=actor), actor)


_STAGE_KEY = "The stage in a pipeline with stages of its own; `stage` is then not read."


def _deal_input(body: type[Body], name: str) -> type[graphene.InputObjectType]:
    return input_of(
        body,
        name,
        enums={"stage": OpportunityStage},
        stage_key=graphene.String(description=_STAGE_KEY),
    )


class Mutation(graphene.ObjectType):
    """What can happen to opportunities."""

    class Meta:
        abstract = True

    convert_lead = command(
        Opportunity,
        _convert,
        show=_shown,
        lead_id=graphene.ID(required=True),
        input=_deal_input(Conversion, "ConvertLeadInput")(required=True),
    )
    create_opportunity = command(
        Opportunity,
        _create,
        show=_shown,
        input=_deal_input(NewDeal, "CreateOpportunityInput")(required=True),
    )
    update_opportunity_stage = command(
        Opportunity,
        _move,
        show=_shown,
        opportunity_id=graphene.ID(required=True),
        stage=OpportunityStage(required=True),
        stage_key=graphene.String(description=_STAGE_KEY),
        **arguments_of(StageMove, without=("stage",)),
    )
