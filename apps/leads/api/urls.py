"""Addresses of leads. Converting is mounted by opportunities, which can answer."""

from django.urls import path, register_converter

from apps.leads.api.imports import (
    LeadExport,
    LeadImportFailedRows,
    LeadImportItem,
    LeadImports,
    LeadImportUndoing,
)
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
    MergeUndoing,
    TerritoryAssignment,
)


class FileFormat:
    """`csv` or `xlsx` at the end of an address."""

    regex = "csv|xlsx"

    def to_python(self, value: str) -> str:
        """As it stands."""
        return value

    def to_url(self, value: str) -> str:
        """As it stands."""
        return value


register_converter(FileFormat, "file_format")

urlpatterns = [
    path("leads", LeadCollection.as_view()),
    path("leads/export.<file_format:file_format>", LeadExport.as_view()),
    path("leads/imports", LeadImports.as_view()),
    path("leads/imports/<uuid:import_id>", LeadImportItem.as_view()),
    path("leads/imports/<uuid:import_id>/failed-rows.csv", LeadImportFailedRows.as_view()),
    path("leads/imports/<uuid:import_id>/undo", LeadImportUndoing.as_view()),
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
    path("territories/assign", TerritoryAssignment.as_view()),
]
