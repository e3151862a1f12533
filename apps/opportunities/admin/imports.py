"""Importing a file of opportunities."""

from __future__ import annotations

from django.contrib import admin

from apps.core.admin.imports import Asked, ImportAdmin
from apps.opportunities.models import OpportunityImport
from apps.opportunities.services.imports import OPPORTUNITY_IMPORTS


@admin.register(OpportunityImport)
class OpportunityImportAdmin(ImportAdmin):
    """Files of opportunities."""

    kind = OPPORTUNITY_IMPORTS
    asked = (
        Asked("external_source", "System that the file is from", example="old crm"),
        Asked("currency", "Currency of all rows", example="USD"),
        Asked(
            "day_order",
            "Days such as 3/4/2026",
            example="month_first",
            note="month_first or day_first; other ways to write a day need none.",
        ),
        Asked(
            "external_id",
            "Id made from columns",
            example="{Company}/{Deal}",
            note="For files without ids.",
            is_template=True,
        ),
    )
    entries = (("metadata.", "Keep as it is, among the other facts"),)
