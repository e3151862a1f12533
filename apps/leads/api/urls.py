"""Addresses of leads. Converting is mounted by opportunities, which can answer."""

from django.urls import path

from apps.core.api.imports import export_address, import_addresses
from apps.leads.api.campaigns import CampaignItem
from apps.leads.api.leads import (
    LeadAssignmentItem,
    LeadBulkAssignment,
    LeadBulkDeletion,
    LeadBulkRouting,
    LeadBulkStatus,
    LeadCollection,
    LeadContact,
    LeadDisqualification,
    LeadDuplicates,
    LeadItem,
    LeadMerging,
    LeadQualification,
    LeadReopening,
    LeadRestoration,
    LeadScore,
    LeadSync,
    MergeUndoing,
    TerritoryAssignment,
)
from apps.leads.fields import LEADS
from apps.leads.permissions import EXPORT_LEAD
from apps.leads.services.imports import LEAD_IMPORTS

IMPORT_TAGS = ("lead imports",)

urlpatterns = [
    path("leads", LeadCollection.as_view()),
    export_address(LEADS, permission=EXPORT_LEAD, tags=IMPORT_TAGS),
    *import_addresses(LEAD_IMPORTS, tags=IMPORT_TAGS),
    path("leads/merges/<uuid:merge_id>/undo", MergeUndoing.as_view()),
    path("leads/bulk-assign", LeadBulkAssignment.as_view()),
    path("leads/bulk-route", LeadBulkRouting.as_view()),
    path("leads/bulk-status", LeadBulkStatus.as_view()),
    path("leads/bulk-delete", LeadBulkDeletion.as_view()),
    path("leads/<uuid:lead_id>", LeadItem.as_view()),
    path("leads/<uuid:lead_id>/contact", LeadContact.as_view()),
    path("leads/<uuid:lead_id>/qualify", LeadQualification.as_view()),
    path("leads/<uuid:lead_id>/disqualify", LeadDisqualification.as_view()),
    path("leads/<uuid:lead_id>/reopen", LeadReopening.as_view()),
    path("leads/<uuid:lead_id>/restore", LeadRestoration.as_view()),
    path("leads/<uuid:lead_id>/assign", LeadAssignmentItem.as_view()),
    path("leads/<uuid:lead_id>/merge", LeadMerging.as_view()),
    path("leads/<uuid:lead_id>/score", LeadScore.as_view()),
    path("leads/<uuid:lead_id>/duplicates", LeadDuplicates.as_view()),
    path("leads/<uuid:lead_id>/sync", LeadSync.as_view()),
    path("campaigns/<str:campaign_id>", CampaignItem.as_view()),
    path("territories/assign", TerritoryAssignment.as_view()),
]
