"""Imports a file of accounts from the command line: the same as REST and the back office."""

from __future__ import annotations

from apps.accounts.services.imports import ACCOUNT_IMPORTS
from apps.core.management.imports import ImportCommand


class Command(ImportCommand):
    help = "Import a CSV or XLSX file of accounts, with progress and a report."
    kind = ACCOUNT_IMPORTS
