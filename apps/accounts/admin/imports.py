"""Importing a file of accounts."""

from __future__ import annotations

from django.contrib import admin

from apps.accounts.models import AccountImport
from apps.accounts.services.imports import ACCOUNT_IMPORTS
from apps.core.admin.imports import Asked, ImportAdmin


@admin.register(AccountImport)
class AccountImportAdmin(ImportAdmin):
    """Files of accounts."""

    kind = ACCOUNT_IMPORTS
    asked = (
        Asked("currency", "Currency of all rows", example="USD"),
        Asked("country", "Country of all rows", example="US"),
    )
    entries = (("external_ids.", "The id in a system that is called like the column"),)
