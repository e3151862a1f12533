"""`/campaigns`: what marketing told of its campaigns, and what became of their leads."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.endpoint import Endpoint, operation
from apps.leads.models import Campaign
from apps.leads.selectors import campaign_answer


class CampaignLeads(serializers.Serializer):
    """How many leads a campaign brought that are within reach, by status."""

    total = serializers.IntegerField()
    by_status = serializers.DictField(child=serializers.IntegerField())


class CampaignAnswer(serializers.Serializer):
    """A campaign; what marketing did not tell is null."""

    campaign_id = serializers.CharField()
    name = serializers.CharField(allow_null=True)
    channel = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(Campaign.Status.choices, allow_null=True)
    starts_on = serializers.DateField(allow_null=True)
    ends_on = serializers.DateField(allow_null=True)
    partner = serializers.CharField(allow_null=True)
    as_of = serializers.DateTimeField(allow_null=True)
    leads = CampaignLeads()


class CampaignItem(Endpoint):
    """`/campaigns/{campaign_id}`."""

    @operation(
        summary="A campaign of marketing's, by its id there, with its leads by status",
        answer=CampaignAnswer,
        tags=("leads",),
    )
    def get(self, actor: Actor, campaign_id: str) -> dict[str, Any]:
        return campaign_answer(campaign_id=campaign_id, actor=actor)
