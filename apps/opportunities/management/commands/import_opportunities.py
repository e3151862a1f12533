"""Imports a file of opportunities from the command line: the same as REST and the back office."""

from __future__ import annotations

from apps.core.management.imports import ImportCommand
from apps.opportunities.services.imports import OPPORTUNITY_IMPORTS


class Command(ImportCommand):
    help = "Import a CSV or XLSX file of opportunities, with progress and a report."
    kind = OPPORTUNITY_IMPORTS
