"""Imports a file of leads from the command line: the same service as REST and the back office."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count, F

from apps.core.actors import Actor, become, system_actor
from apps.core.errors import Refusal
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.leads.models import Lead, LeadImport, LeadImportRow
from apps.leads.services.imports import preview_import, request_import
from apps.users.models import User


class Command(BaseCommand):
    help = "Import a CSV or XLSX file of leads, with progress and a report."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--mapping", default="", help="JSON, or a file with it")
        parser.add_argument("--mode", default="apply", choices=["preview", "dry_run", "apply"])
        parser.add_argument("--match-on", default="email", choices=LeadImport.MatchOn.values)
        parser.add_argument("--as", dest="email", default="", help="sign-in e-mail of the importer")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            actor = _actor(options["email"])
            with options["file"].open("rb") as file:
                if options["mode"] == "preview":
                    self._show_preview(preview_import(file=file, actor=actor))
                    return
                lead_import = request_import(
                    file=file,
                    filename=options["file"].name,
                    mapping=_mapping(options["mapping"]),
                    mode=options["mode"],
                    match_on=options["match_on"],
                    actor=actor,
                )
        except (Refusal, OSError) as failure:
            raise CommandError(str(failure)) from None
        self._report(self._wait_for(lead_import))

    def _wait_for(self, lead_import: LeadImport) -> LeadImport:
        """Work the file off here; when a worker was faster, watch it."""
        started = time.perf_counter()
        run_job(lead_import.job_id)
        while not Job.objects.get(pk=lead_import.job_id).has_ended:
            time.sleep(0.5)
            run_job(lead_import.job_id)
        self.seconds = time.perf_counter() - started
        return LeadImport.objects.select_related("job").get(pk=lead_import.pk)

    def _report(self, lead_import: LeadImport) -> None:
        job = lead_import.job
        self.stdout.write(
            f"{lead_import.filename}: {job.status} in {self.seconds:.1f} s. "
            f"{job.total or 0} rows: {lead_import.created} created, {lead_import.updated} updated, "
            f"{lead_import.skipped} skipped, {lead_import.failed} failed. {job.message}"
        )
        for reason, count in _reasons(lead_import):
            self.stdout.write(f"  {count} failed: {reason}")
        for error in job.errors[:5]:
            self.stdout.write(f"  line {error['line']}: {error['message']}")
        for low, count in _scores(lead_import):
            self.stdout.write(f"  score {low:3}-{low + 9:3}: {count}")
        if lead_import.failed:
            self.stdout.write(
                f"  All of them: GET /api/v1/leads/imports/{lead_import.pk}/failed-rows.csv"
            )

    def _show_preview(self, preview: Any) -> None:
        self.stdout.write(
            json.dumps(
                {
                    "format": preview.format,
                    "encoding": preview.encoding,
                    "delimiter": preview.delimiter,
                    "columns": preview.columns,
                    "problems": preview.problems,
                    "suggested_mapping": preview.suggested_mapping,
                },
                indent=2,
            )
        )


def _actor(email: str) -> Actor:
    if not email:
        return system_actor(door="command")
    user = User.objects.active().filter(email__iexact=email).first()
    if user is None:
        raise CommandError(f"Nobody signs in as {email}.")
    return become(user.pk, door="command")


def _mapping(text: str) -> Any:
    if text and not text.lstrip().startswith("{"):
        text = Path(text).read_text(encoding="utf-8")
    try:
        return json.loads(text or "{}")
    except json.JSONDecodeError as failure:
        raise CommandError(f"The mapping is not valid JSON: {failure}.") from None


def _reasons(lead_import: LeadImport) -> list[tuple[str, int]]:
    rows = lead_import.rows.filter(outcome=LeadImportRow.Outcome.FAILED)
    counted = rows.values("errors__reason").annotate(count=Count("pk")).order_by("-count")
    return [(row["errors__reason"], row["count"]) for row in counted]


def _scores(lead_import: LeadImport) -> list[tuple[int, int]]:
    """How many of the imported leads have which score, in tens."""
    ids = lead_import.rows.exclude(lead_id=None).values("lead_id")
    counted = (
        Lead.objects.filter(pk__in=ids)
        .annotate(tens=F("score") / 10 * 10)
        .values("tens")
        .annotate(count=Count("pk"))
        .order_by("tens")
    )
    return [(int(row["tens"]), row["count"]) for row in counted]
