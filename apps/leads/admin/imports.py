"""Importing a file of leads."""

from __future__ import annotations

from django.contrib import admin

from apps.core.admin.imports import Asked, ImportAdmin
from apps.leads.models import LeadImport
from apps.leads.services.imports import LEAD_IMPORTS


@admin.register(LeadImport)
class LeadImportAdmin(ImportAdmin):
    """Files of leads."""

    kind = LEAD_IMPORTS
    asked = (
        Asked("source", "Source of all rows", value="import"),
        Asked(
            "email",
            "E-mail made from columns",
            example="{ID}@leads.example",
            note="For files without addresses.",
            is_template=True,
        ),
    )
    entries = (("metadata.", "Keep as it is, among the other facts"),)
