"""`/leads`: capture, read, change and move leads (sales-system-integrations, Lead Endpoints)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.bodies import (
    Body,
    Currency,
    Identifier,
    JSONObject,
    Money,
    Text,
    WholeNumber,
)
from apps.core.api.bulk import JobReceipt, ResultsAnswer, RowsBody, answer_in_bulk
from apps.core.api.endpoint import Endpoint, listed, operation, shown, version_asked_for
from apps.core.api.schema import row_serializer
from apps.leads.fields import LEADS
from apps.leads.models import Lead
from apps.leads.selectors import lead_duplicates, lead_score
from apps.leads.services.assignment import assign_lead
from apps.leads.services.bulk import BULK_OPERATIONS
from apps.leads.services.capture import change_lead, create_lead
from apps.leads.services.lifecycle import delete_lead, move_lead, restore_lead
from apps.leads.services.marketing import sync_lead
from apps.leads.services.merging import merge_leads, undo_merge

TAGS = ("leads",)


class LeadFactsBody(Body):
    """What can be known of a lead."""

    source = Text(max_length=100, required=False)
    email = Text(max_length=255, required=False)
    first_name = Text(max_length=100, required=False, allow_blank=True)
    last_name = Text(max_length=100, required=False, allow_blank=True)
    phone = Text(max_length=50, required=False, allow_blank=True)
    company = Text(max_length=255, required=False, allow_blank=True)
    title = Text(max_length=100, required=False, allow_blank=True)
    industry = Text(max_length=100, required=False, allow_blank=True)
    employee_count = WholeNumber(required=False, allow_null=True)
    annual_revenue = Money(required=False, allow_null=True)
    currency = Currency(required=False)
    country = Text(max_length=100, required=False, allow_blank=True)
    state = Text(max_length=100, required=False, allow_blank=True)
    city = Text(max_length=100, required=False, allow_blank=True)
    postal_code = Text(max_length=20, required=False, allow_blank=True)
    external_source = Text(max_length=100, required=False, allow_blank=True)
    external_id = Text(max_length=255, required=False, allow_blank=True)
    campaign_id = Text(max_length=100, required=False, allow_blank=True)
    score = WholeNumber(required=False, allow_null=True, max_value=100, source="marketing_score")
    attribution = JSONObject(required=False)
    metadata = JSONObject(required=False)


class NewLead(LeadFactsBody):
    """A lead to capture."""

    source = Text(max_length=100)
    email = Text(max_length=255)
    assigned_to = Identifier(required=False)


class LeadChange(LeadFactsBody):
    """A change of a lead; `version` refuses it when somebody else was faster."""

    version = WholeNumber(required=False)


class CreateParameters(Body):
    """What happens when an open lead has the same e-mail."""

    on_duplicate = serializers.ChoiceField(
        [("refuse", "refuse"), ("update", "update")], default="refuse"
    )


class LeadReceipt(serializers.Serializer):
    """A lead that was captured."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(Lead.Status.choices)
    assigned_to = serializers.UUIDField(allow_null=True)
    territory_id = serializers.UUIDField(allow_null=True)
    score = serializers.IntegerField()
    created_at = serializers.DateTimeField()


def lead_receipt(lead: Lead) -> dict[str, Any]:
    """What a caller learns of a lead that was written."""
    return {
        "id": lead.pk,
        "status": lead.status,
        "assigned_to": lead.owner_id,
        "territory_id": lead.territory_id,
        "score": lead.score,
        "created_at": lead.created_at,
    }


class MarketingFacts(LeadFactsBody):
    """What marketing knows of a lead, and as of when; its own facts as in the message."""

    as_of = serializers.DateTimeField()


class LeadCollection(Endpoint):
    """`/leads`."""

    get = listed(LEADS, summary="Leads within reach", tags=TAGS)

    @operation(
        summary="Capture a lead",
        body=NewLead,
        query=CreateParameters,
        answer=LeadReceipt,
        status=201,
        tags=TAGS,
    )
    def post(
        self, actor: Actor, body: dict[str, Any], query: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        lead, is_new = create_lead(**body, **query, actor=actor)
        return 201 if is_new else 200, lead_receipt(lead)


class LeadItem(Endpoint):
    """`/leads/{lead_id}`."""

    get = shown(LEADS, summary="A lead", tags=TAGS)

    @operation(
        summary="Change a lead",
        body=LeadChange,
        answer=row_serializer(LEADS, detail=True),
        tags=TAGS,
    )
    def put(self, actor: Actor, lead_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        version = version_asked_for(self.request, body)
        change_lead(lead_id=lead_id, expected_version=version, **body, actor=actor)
        return LEADS.one(actor, lead_id)

    patch = put

    @operation(summary="Put a lead into the bin", status=204, tags=TAGS)
    def delete(self, actor: Actor, lead_id: UUID) -> None:
        delete_lead(lead_id=lead_id, actor=actor)


class LeadSync(Endpoint):
    """`/leads/{lead_id}/sync`."""

    @operation(
        summary="Take over what marketing knows of a lead by now",
        description="Score, campaign and attribution follow the newest; everything else fills what "
        "is empty. What is older than what is known changes nothing.",
        body=MarketingFacts,
        answer=LeadReceipt,
        tags=TAGS,
    )
    def post(self, actor: Actor, lead_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        return lead_receipt(sync_lead(lead_id=lead_id, **body, actor=actor))


class ReasonBody(Body):
    """Why."""

    reason = Text(max_length=255, required=False, allow_blank=True, default="")


class _LeadMove(Endpoint):
    """Takes a lead to one status."""

    status: str

    def move(self, actor: Actor, lead_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        """The receipt of the moved lead."""
        return lead_receipt(move_lead(lead_id=lead_id, status=self.status, **body, actor=actor))


class LeadContact(_LeadMove):
    """`/leads/{lead_id}/contact`."""

    status = Lead.Status.CONTACTED
    post = operation(
        summary="Note that a lead was contacted", body=ReasonBody, answer=LeadReceipt, tags=TAGS
    )(_LeadMove.move)


class LeadQualification(_LeadMove):
    """`/leads/{lead_id}/qualify`."""

    status = Lead.Status.QUALIFIED
    post = operation(
        summary="Accept a lead as worth selling to",
        body=ReasonBody,
        answer=LeadReceipt,
        tags=TAGS,
    )(_LeadMove.move)


class LeadDisqualification(_LeadMove):
    """`/leads/{lead_id}/disqualify`."""

    status = Lead.Status.UNQUALIFIED
    post = operation(summary="Put a lead aside", body=ReasonBody, answer=LeadReceipt, tags=TAGS)(
        _LeadMove.move
    )


class LeadReopening(_LeadMove):
    """`/leads/{lead_id}/reopen`."""

    status = Lead.Status.NEW
    post = operation(
        summary="Take up a lead that was put aside",
        body=ReasonBody,
        answer=LeadReceipt,
        tags=TAGS,
    )(_LeadMove.move)


class LeadRestoration(Endpoint):
    """`/leads/{lead_id}/restore`."""

    @operation(summary="Take a lead out of the bin", answer=LeadReceipt, tags=TAGS)
    def post(self, actor: Actor, lead_id: UUID) -> dict[str, Any]:
        return lead_receipt(restore_lead(lead_id=lead_id, actor=actor))


class AssignBody(Body):
    """Where a lead goes, and why."""

    territory_id = Identifier(required=False)
    assigned_to = Identifier(required=False, source="owner_id")
    reason = Text(max_length=255, required=False, allow_blank=True, default="")


class AssignTerritoryBody(Body):
    """A lead and the territory it goes to."""

    lead_id = Identifier()
    territory_id = Identifier()
    reason = Text(max_length=255, required=False, allow_blank=True, default="")


class AssignmentReceipt(serializers.Serializer):
    """Where a lead went."""

    lead_id = serializers.UUIDField()
    territory_id = serializers.UUIDField(allow_null=True)
    assigned_to = serializers.UUIDField(allow_null=True)
    assigned_at = serializers.DateTimeField()


def assignment_receipt(lead: Lead) -> dict[str, Any]:
    """Where a lead is now."""
    return {
        "lead_id": lead.pk,
        "territory_id": lead.territory_id,
        "assigned_to": lead.owner_id,
        "assigned_at": lead.updated_at,
    }


class LeadAssignmentItem(Endpoint):
    """`/leads/{lead_id}/assign`."""

    @operation(
        summary="Give a lead to a territory, a person, or both",
        body=AssignBody,
        answer=AssignmentReceipt,
        tags=TAGS,
    )
    def post(self, actor: Actor, lead_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        return assignment_receipt(assign_lead(lead_id=lead_id, **body, actor=actor))


class TerritoryAssignment(Endpoint):
    """`/territories/assign`."""

    @operation(
        summary="Assign a lead to a territory",
        body=AssignTerritoryBody,
        answer=AssignmentReceipt,
        tags=("territories",),
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        return assignment_receipt(assign_lead(**body, actor=actor))


class ReasonAnswer(serializers.Serializer):
    """Points for one fact, and why."""

    feature = serializers.CharField()
    points = serializers.IntegerField()
    sentence = serializers.CharField()


class ScoreAnswer(serializers.Serializer):
    """A lead's score with its reasons."""

    lead_id = serializers.UUIDField()
    score = serializers.IntegerField()
    marketing_score = serializers.IntegerField(allow_null=True)
    source = serializers.ChoiceField(Lead.ScoreSource.choices)
    version = serializers.CharField()
    scored_at = serializers.DateTimeField(allow_null=True)
    reasons = ReasonAnswer(many=True)


class LeadScore(Endpoint):
    """`/leads/{lead_id}/score`."""

    @operation(summary="A lead's score and its reasons", answer=ScoreAnswer, tags=TAGS)
    def get(self, actor: Actor, lead_id: UUID) -> dict[str, Any]:
        return lead_score(lead_id=lead_id, actor=actor)


class HintAnswer(serializers.Serializer):
    """A lead that may be the same, and why."""

    id = serializers.UUIDField()
    why = serializers.CharField()


class DuplicatesAnswer(serializers.Serializer):
    """Leads that may be the same; those out of reach are only counted."""

    data = HintAnswer(many=True)
    elsewhere = serializers.IntegerField()


class LeadDuplicates(Endpoint):
    """`/leads/{lead_id}/duplicates`."""

    @operation(summary="Leads that may be the same", answer=DuplicatesAnswer, tags=TAGS)
    def get(self, actor: Actor, lead_id: UUID) -> dict[str, Any]:
        return lead_duplicates(lead_id=lead_id, actor=actor)


class MergeBody(Body):
    """The duplicates, and the values that the surviving lead takes over."""

    duplicate_ids = serializers.ListField(child=Identifier(), allow_empty=False, max_length=20)
    values = LeadFactsBody(required=False, default=dict)


class MergeReceipt(serializers.Serializer):
    """A merge, by whose id it can be undone."""

    id = serializers.UUIDField()
    survivor_id = serializers.UUIDField()
    merged_ids = serializers.ListField(child=serializers.UUIDField())
    undone_at = serializers.DateTimeField(allow_null=True)


def _merge_receipt(merge: Any) -> dict[str, Any]:
    return {
        "id": merge.pk,
        "survivor_id": merge.survivor_id,
        "merged_ids": merge.merged_ids,
        "undone_at": merge.undone_at,
    }


class LeadMerging(Endpoint):
    """`/leads/{lead_id}/merge`."""

    @operation(
        summary="Fold duplicates into this lead",
        body=MergeBody,
        answer=MergeReceipt,
        status=201,
        tags=TAGS,
    )
    def post(self, actor: Actor, lead_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        return _merge_receipt(merge_leads(survivor_id=lead_id, **body, actor=actor))


class MergeUndoing(Endpoint):
    """`/leads/merges/{merge_id}/undo`."""

    @operation(summary="Separate merged leads again", answer=MergeReceipt, tags=TAGS)
    def post(self, actor: Actor, merge_id: UUID) -> dict[str, Any]:
        return _merge_receipt(undo_merge(merge_id=merge_id, actor=actor))


class BulkAssignBody(RowsBody):
    """Which leads go where."""

    territory_id = Identifier(required=False)
    assigned_to = Identifier(required=False, source="owner_id")
    reason = Text(max_length=255, required=False, allow_blank=True, default="")


class BulkStatusBody(RowsBody):
    """Which leads go to which status."""

    status = serializers.ChoiceField(Lead.Status.choices)
    reason = Text(max_length=255, required=False, allow_blank=True, default="")


def _bulk(name: str, summary: str, body: type[RowsBody]) -> Any:
    def post(self: Endpoint, actor: Actor, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return answer_in_bulk(BULK_OPERATIONS[name], actor, body)

    return operation(
        summary=summary,
        body=body,
        answer=ResultsAnswer,
        other_answers={202: JobReceipt},
        tags=TAGS,
    )(post)


class LeadBulkAssignment(Endpoint):
    """`/leads/bulk-assign`."""

    post = _bulk("assign", "Give many leads to a territory or person", BulkAssignBody)


class LeadBulkRouting(Endpoint):
    """`/leads/bulk-route`."""

    post = _bulk("route", "Let the territories' rules place many leads anew", RowsBody)


class LeadBulkStatus(Endpoint):
    """`/leads/bulk-status`."""

    post = _bulk("status", "Take many leads to a status", BulkStatusBody)


class LeadBulkDeletion(Endpoint):
    """`/leads/bulk-delete`."""

    post = _bulk("delete", "Put many leads into the bin", RowsBody)
