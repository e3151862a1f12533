"""Addresses of opportunities, their files and pipelines, and of what they answer for others."""

from django.urls import path

from apps.core.api.imports import export_address, import_addresses
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
from apps.opportunities.fields import OPPORTUNITIES
from apps.opportunities.permissions import EXPORT_OPPORTUNITY
from apps.opportunities.services.imports import OPPORTUNITY_IMPORTS

IMPORT_TAGS = ("opportunity imports",)

urlpatterns = [
    path("opportunities", OpportunityCollection.as_view()),
    export_address(OPPORTUNITIES, permission=EXPORT_OPPORTUNITY, tags=IMPORT_TAGS),
    *import_addresses(OPPORTUNITY_IMPORTS, tags=IMPORT_TAGS),
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
