"""`/opportunities`: deals (sales-system-integrations, Opportunity Endpoints)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from apps.accounts.fields import ACCOUNTS
from apps.core.actors import Actor
from apps.core.api.bodies import Text
from apps.core.api.bulk import JobReceipt, ResultsAnswer, RowsBody, answer_in_bulk
from apps.core.api.endpoint import Endpoint, listed, operation, shown, version_asked_for
from apps.core.api.schema import row_serializer
from apps.opportunities.api.bodies import (
    DealChange,
    NewDeal,
    Reopening,
    SplitBody,
    StageFacts,
    StageMove,
)
from apps.opportunities.fields import HISTORY, OPPORTUNITIES, SPLITS
from apps.opportunities.models import Opportunity
from apps.opportunities.services.bulk import MOVE_MANY
from apps.opportunities.services.deals import (
    change_opportunity,
    create_opportunity,
    delete_opportunity,
    restore_opportunity,
)
from apps.opportunities.services.splits import split_opportunity
from apps.opportunities.services.stages import move_opportunity, reopen_opportunity

TAGS = ("opportunities",)


class DealReceipt(serializers.Serializer):
    """A deal that was begun."""

    id = serializers.UUIDField()
    stage = serializers.CharField()
    probability = serializers.IntegerField()
    deal_score = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class StageReceipt(serializers.Serializer):
    """Where a deal stands now."""

    id = serializers.UUIDField()
    stage = serializers.CharField()
    probability = serializers.IntegerField()
    deal_score = serializers.IntegerField()
    updated_at = serializers.DateTimeField()


def deal_receipt(deal: Opportunity) -> dict[str, Any]:
    """What tells that a deal was begun."""
    return {
        "id": deal.pk,
        "stage": deal.stage_key,
        "probability": deal.probability,
        "deal_score": deal.deal_score,
        "created_at": deal.created_at,
    }


def stage_receipt(deal: Opportunity) -> dict[str, Any]:
    """What tells where a deal stands."""
    return {
        "id": deal.pk,
        "stage": deal.stage_key,
        "probability": deal.probability,
        "deal_score": deal.deal_score,
        "updated_at": deal.updated_at,
    }


class OpportunityCollection(Endpoint):
    """`/opportunities`."""

    get = listed(OPPORTUNITIES, summary="Opportunities within reach", tags=TAGS)

    @operation(
        summary="Begin an opportunity", body=NewDeal, answer=DealReceipt, status=201, tags=TAGS
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        return deal_receipt(create_opportunity(**body, actor=actor))


class OpportunityItem(Endpoint):
    """`/opportunities/{opportunity_id}`."""

    get = shown(OPPORTUNITIES, summary="An opportunity", tags=TAGS)

    @operation(
        summary="Change an opportunity",
        body=DealChange,
        answer=row_serializer(OPPORTUNITIES, detail=True),
        tags=TAGS,
    )
    def put(self, actor: Actor, opportunity_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        version = version_asked_for(self.request, body)
        change_opportunity(opportunity_id=opportunity_id, version=version, **body, actor=actor)
        return OPPORTUNITIES.one(actor, opportunity_id)

    patch = put

    @operation(summary="Put an opportunity into the bin", status=204, tags=TAGS)
    def delete(self, actor: Actor, opportunity_id: UUID) -> None:
        delete_opportunity(opportunity_id=opportunity_id, actor=actor)


class OpportunityStage(Endpoint):
    """`/opportunities/{opportunity_id}/stage`."""

    @operation(
        summary="Take an opportunity to another stage",
        body=StageMove,
        answer=StageReceipt,
        tags=TAGS,
    )
    def put(self, actor: Actor, opportunity_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        version = version_asked_for(self.request, body)
        return stage_receipt(
            move_opportunity(opportunity_id=opportunity_id, version=version, **body, actor=actor)
        )


class OpportunityReopening(Endpoint):
    """`/opportunities/{opportunity_id}/reopen`."""

    @operation(
        summary="Take up a won or lost opportunity again",
        body=Reopening,
        answer=StageReceipt,
        tags=TAGS,
    )
    def post(self, actor: Actor, opportunity_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        return stage_receipt(reopen_opportunity(opportunity_id=opportunity_id, **body, actor=actor))


class OpportunityRestoration(Endpoint):
    """`/opportunities/{opportunity_id}/restore`."""

    @operation(summary="Take an opportunity out of the bin", answer=StageReceipt, tags=TAGS)
    def post(self, actor: Actor, opportunity_id: UUID) -> dict[str, Any]:
        return stage_receipt(restore_opportunity(opportunity_id=opportunity_id, actor=actor))


class OpportunityHistory(Endpoint):
    """`/opportunities/{opportunity_id}/history`."""

    get = listed(
        HISTORY,
        within=OPPORTUNITIES,
        stated="opportunity_id",
        summary="What changed on an opportunity, newest first",
        tags=TAGS,
    )


class OpportunitySplits(Endpoint):
    """`/opportunities/{opportunity_id}/splits`."""

    get = listed(
        SPLITS,
        within=OPPORTUNITIES,
        stated="opportunity_id",
        summary="Who shares the credit for an opportunity",
        tags=TAGS,
    )

    @operation(
        summary="Say who shares the credit for an opportunity",
        body=SplitBody,
        answer=row_serializer(OPPORTUNITIES, detail=True),
        tags=TAGS,
    )
    def put(self, actor: Actor, opportunity_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        version = version_asked_for(self.request, body)
        split_opportunity(opportunity_id=opportunity_id, version=version, **body, actor=actor)
        return OPPORTUNITIES.one(actor, opportunity_id)


class AccountOpportunities(Endpoint):
    """`/accounts/{account_id}/opportunities`."""

    get = listed(
        OPPORTUNITIES,
        within=ACCOUNTS,
        stated="account_id",
        summary="The opportunities of an account",
        tags=("accounts",),
    )


class BulkStageBody(RowsBody, StageFacts):
    """Which opportunities go to which stage."""

    stage = Text(max_length=50)


class OpportunityBulkStage(Endpoint):
    """`/opportunities/bulk-stage`."""

    @operation(
        summary="Take many opportunities to a stage",
        body=BulkStageBody,
        answer=ResultsAnswer,
        other_answers={202: JobReceipt},
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return answer_in_bulk(MOVE_MANY, actor, body)
