"""Imports a file of leads from the command line: the same service as REST and the back office."""

from __future__ import annotations

from django.db.models import Count, F

from apps.core.management.imports import ImportCommand
from apps.leads.models import Lead, LeadImport
from apps.leads.services.imports import LEAD_IMPORTS


class Command(ImportCommand):
    help = "Import a CSV or XLSX file of leads, with progress and a report."
    kind = LEAD_IMPORTS

    def report_more(self, imported: LeadImport) -> None:
        """How many of the imported leads have which score, in tens."""
        ids = imported.rows.exclude(lead_id=None).values("lead_id")
        counted = (
            Lead.objects.filter(pk__in=ids)
            .annotate(tens=F("score") / 10 * 10)
            .values("tens")
            .annotate(count=Count("pk"))
            .order_by("tens")
        )
        for row in counted:
            low = int(row["tens"])
            self.stdout.write(f"  score {low:3}-{low + 9:3}: {row['count']}")
