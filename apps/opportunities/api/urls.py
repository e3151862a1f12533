"""Addresses of opportunities and pipelines, and of what they answer for leads and accounts."""

from django.urls import path

from apps.opportunities.api.conversion import LeadConversion
from apps.opportunities.api.opportunities import (
    AccountOpportunities,
    OpportunityBulkStage,
    OpportunityCollection,
    OpportunityHistory,
    OpportunityItem,
    OpportunityReopening,
    OpportunityRestoration,
    OpportunitySplits,
    OpportunityStage,
)
from apps.opportunities.api.pipelines import OpportunityPipeline, PipelineCollection

urlpatterns = [
    path("opportunities", OpportunityCollection.as_view()),
    path("opportunities/pipeline", OpportunityPipeline.as_view()),
    path("opportunities/bulk-stage", OpportunityBulkStage.as_view()),
    path("opportunities/<uuid:opportunity_id>", OpportunityItem.as_view()),
    path("opportunities/<uuid:opportunity_id>/stage", OpportunityStage.as_view()),
    path("opportunities/<uuid:opportunity_id>/reopen", OpportunityReopening.as_view()),
    path("opportunities/<uuid:opportunity_id>/restore", OpportunityRestoration.as_view()),
    path("opportunities/<uuid:opportunity_id>/history", OpportunityHistory.as_view()),
    path("opportunities/<uuid:opportunity_id>/splits", OpportunitySplits.as_view()),
    path("accounts/<uuid:account_id>/opportunities", AccountOpportunities.as_view()),
    path("leads/<uuid:lead_id>/convert", LeadConversion.as_view()),
    path("pipelines", PipelineCollection.as_view()),
]
