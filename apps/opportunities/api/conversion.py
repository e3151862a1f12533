"""`/leads/{lead_id}/convert`: a lead becomes a deal."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.endpoint import Endpoint, operation
from apps.leads.models import Lead
from apps.opportunities.api.bodies import Conversion
from apps.opportunities.services.conversion import convert_lead


class ConversionReceipt(serializers.Serializer):
    """A lead that became a deal."""

    opportunity_id = serializers.UUIDField()
    lead_id = serializers.UUIDField()
    status = serializers.CharField()
    converted_at = serializers.DateTimeField()


def conversion_receipt(opportunity_id: UUID, lead: Lead) -> dict[str, Any]:
    """What tells that a lead was converted."""
    return {
        "opportunity_id": opportunity_id,
        "lead_id": lead.pk,
        "status": lead.status,
        "converted_at": lead.converted_at,
    }


class LeadConversion(Endpoint):
    """`/leads/{lead_id}/convert`."""

    @operation(
        summary="Convert a lead to an opportunity",
        body=Conversion,
        answer=ConversionReceipt,
        status=201,
        tags=("leads",),
    )
    def post(self, actor: Actor, lead_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        deal = convert_lead(lead_id=lead_id, **body, actor=actor)
        return conversion_receipt(deal.pk, cast("Lead", deal.lead))
