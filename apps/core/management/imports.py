"""Imports a file from the command line: the same as through REST and the back office."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count

from apps.core.actors import Actor, become, system_actor
from apps.core.errors import Refusal
from apps.core.imports.kind import ImportKind
from apps.core.imports.models import ImportedFile, ImportedRow
from apps.core.imports.requests import Preview, preview_import, request_import
from apps.core.jobs import worked_off


class ImportCommand(BaseCommand):
    """A command that imports one kind of row, with progress and a report."""

    kind: ClassVar[ImportKind]

    def add_arguments(self, parser: CommandParser) -> None:
        """The file, and how it is read."""
        match_on = self.kind.files.MatchOn.values
        parser.add_argument("file", type=Path)
        parser.add_argument("--mapping", default="", help="JSON, or a file with it")
        parser.add_argument("--mode", default="apply", choices=["preview", "dry_run", "apply"])
        parser.add_argument("--match-on", default=match_on[0], choices=match_on)
        parser.add_argument("--as", dest="email", default="", help="sign-in e-mail of the importer")

    def handle(self, *args: Any, **options: Any) -> None:
        """Preview the file, or work it off here and report."""
        try:
            actor = _actor(options["email"])
            with options["file"].open("rb") as file:
                if options["mode"] == "preview":
                    self._show(preview_import(self.kind, file=file, actor=actor))
                    return
                imported = request_import(
                    self.kind,
                    file=file,
                    filename=options["file"].name,
                    mapping=_mapping(options["mapping"]),
                    mode=options["mode"],
                    match_on=options["match_on"],
                    actor=actor,
                )
        except (Refusal, OSError) as failure:
            raise CommandError(str(failure)) from None
        self._report(*self._wait_for(imported))

    def report_more(self, imported: Any) -> None:
        """Say more about what was imported."""

    def _wait_for(self, imported: ImportedFile) -> tuple[ImportedFile, float]:
        """Work the file off here; when a worker was faster, watch it."""
        started = time.perf_counter()
        for _ in worked_off(imported.job_id):
            pass
        files = self.kind.files._default_manager.select_related("job")
        return files.get(pk=imported.pk), time.perf_counter() - started

    def _report(self, imported: ImportedFile, seconds: float) -> None:
        job = imported.job
        self.stdout.write(
            f"{imported.filename}: {job.status} in {seconds:.1f} s. "
            f"{job.total or 0} rows: {imported.created} created, {imported.updated} updated, "
            f"{imported.skipped} skipped, {imported.failed} failed. {job.message}"
        )
        for reason, count in _reasons(imported):
            self.stdout.write(f"  {count} failed: {reason}")
        for error in job.errors[:5]:
            self.stdout.write(f"  line {error['line']}: {error['message']}")
        self.report_more(imported)
        if imported.failed:
            address = f"/api/v1/{self.kind.name}/imports/{imported.pk}/failed-rows.csv"
            self.stdout.write(f"  All of them: GET {address}")

    def _show(self, preview: Preview) -> None:
        shown = {name: value for name, value in vars(preview).items() if name != "rows"}
        self.stdout.write(json.dumps(shown, indent=2))


def _actor(email: str) -> Actor:
    if not email:
        return system_actor(door="command")
    people = get_user_model()._default_manager.filter(is_active=True)
    user = people.filter(email__iexact=email).first()
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


def _reasons(imported: ImportedFile) -> list[tuple[str, int]]:
    rows = imported.rows.filter(outcome=ImportedRow.Outcome.FAILED)
    counted = rows.values("errors__reason").annotate(count=Count("pk")).order_by("-count")
    return [(row["errors__reason"], row["count"]) for row in counted]
