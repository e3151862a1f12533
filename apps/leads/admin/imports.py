"""Importing a file of leads: look at it, map its columns, try it or do it, follow it, undo it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.decorators import display
from unfold.enums import ActionVariant

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.operations import Operation
from apps.core.admin.refusals import sentence_of
from apps.core.admin.system import JOB_TONES
from apps.core.admin.visitors import actor_of
from apps.core.errors import InvalidInput, Refusal
from apps.core.jobs import cancel_job
from apps.core.models import Job
from apps.core.permissions import VIEW_SYSTEM
from apps.core.tables import write_csv
from apps.leads.models import LeadImport
from apps.leads.permissions import IMPORT_LEAD
from apps.leads.rules.facts import OBJECTS, WRITABLE
from apps.leads.services.imports import (
    Preview,
    failed_rows,
    import_visible_to,
    preview_import,
    request_import,
    undo_import,
)

TARGETS = tuple((name, show.words(name)) for name in WRITABLE if name not in OBJECTS)
EXTRA = "metadata."


def undo_here(*, import_id: UUID, actor: Actor) -> Job:
    """Take an import back."""
    return undo_import(import_id=import_id, actor=actor)


def cancel_here(*, import_id: UUID, actor: Actor) -> Job:
    """Stop an import after the batch at hand."""
    return cancel_job(job_id=import_visible_to(actor, import_id).job_id, actor=actor)


def _can_be_undone(lead_import: LeadImport) -> bool:
    return (
        lead_import.job.has_ended
        and lead_import.undo_job_id is None
        and lead_import.mode == LeadImport.Mode.APPLY
        and bool(lead_import.created or lead_import.updated)
    )


@admin.register(LeadImport)
class LeadImportAdmin(ActorAdmin):
    """Files of leads: one's own, or everybody's for those who may see the system."""

    read = IMPORT_LEAD
    write = IMPORT_LEAD
    subject = "import_id"
    adds = staticmethod(request_import)
    shows_happenings = False
    list_display = ("file_line", "mode_badge", "state", "share", "outcome", "who", "asked")
    list_select_related = ("job", "undo_job")
    sortable_by = ()
    fields = ("file_line", "mode_badge", "match_on", "who", "created_at")
    readonly_fields = fields
    change_form_before_template = "admin/leads/import.html"
    operations = (
        Operation(
            name="cancel",
            label="Cancel",
            permission=IMPORT_LEAD,
            one=cancel_here,
            offered=lambda one: not one.job.has_ended and one.job.cancel_requested_at is None,
            asks_first=True,
            sentence="What is already written stays, and can be undone.",
            icon="stop_circle",
        ),
        Operation(
            name="undo",
            label="Undo the import",
            permission=IMPORT_LEAD,
            one=undo_here,
            offered=_can_be_undone,
            asks_first=True,
            sentence=(
                "Created leads go to the bin, updated ones get back their values. "
                "Leads that somebody changed since are left alone."
            ),
            icon="undo",
            tone=ActionVariant.DANGER,
        ),
    )

    def rows(self, actor: Actor, *, with_bin: bool = False) -> Any:
        """One's own, or all."""
        imports = LeadImport.objects.select_related("job", "undo_job")
        return imports if actor.may(VIEW_SYSTEM) else imports.filter(job__actor_id=actor.id)

    def get_urls(self) -> list[Any]:
        """The pages of an import, besides list and detail."""
        wrap = self.admin_site.admin_view
        return [
            path("add/preview/", wrap(self.preview_view), name="leads_leadimport_preview"),
            path(
                "<uuid:import_id>/progress/",
                wrap(self.progress_view),
                name="leads_leadimport_progress",
            ),
            path(
                "<uuid:import_id>/failed-rows.csv",
                wrap(self.failed_rows_view),
                name="leads_leadimport_failed_rows",
            ),
            *super().get_urls(),
        ]

    def complete(self, page: Sequence[Any]) -> None:
        """Who asked for each."""
        names = show.names_of_people(one.job.actor_id for one in page) if page else {}
        for one in page:
            one.actor_name = names.get(one.job.actor_id, show.NOTHING)

    # --- Asking -----------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of a new import; posting it starts the import."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._start(request)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Import leads",
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/leads/new_import.html", context)

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the chosen file looks like, and a mapping to start from."""
        try:
            preview = preview_import(
                file=_uploaded(request),
                actor=actor_of(request),
            )
        except Refusal as refusal:
            return _refused(request, refusal)
        return TemplateResponse(
            request,
            "admin/leads/preview.html",
            {
                "preview": preview,
                "mapped": list(_mapped(preview)),
                "targets": TARGETS,
                "has_source": "source" in preview.suggested_mapping["columns"].values(),
                "rows": [[row.get(name, "") for name in preview.columns] for row in preview.rows],
                "match_on": LeadImport.MatchOn.choices,
            },
        )

    def _start(self, request: HttpRequest) -> HttpResponse:
        try:
            file = _uploaded(request)
            started = request_import(
                file=file,
                filename=file.name,
                mapping=_mapping(request),
                mode=request.POST.get("mode", LeadImport.Mode.DRY_RUN),
                match_on=request.POST.get("match_on", LeadImport.MatchOn.EMAIL),
                actor=actor_of(request),
            )
        except Refusal as refusal:
            return _refused(request, refusal)
        return HttpResponse(headers={"HX-Redirect": show.page_of(LeadImport, started.pk)})

    # --- Following --------------------------------------------------------------------------

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """An import's page, with how far it has come."""
        row = self.get_object(request, object_id) if object_id else None
        context = {**(extra_context or {}), **({"state": _state(row)} if row else {})}
        return super().changeform_view(request, object_id, form_url, context)

    def progress_view(self, request: HttpRequest, import_id: UUID) -> HttpResponse:
        """How far an import has come; the page is loaded anew when it has ended."""
        row = self.get_object(request, str(import_id))
        if row is None or not self.has_view_permission(request):
            raise PermissionDenied
        state = _state(row)
        response = TemplateResponse(request, "admin/leads/progress.html", {"state": state})
        if not state["is_running"]:
            response["HX-Refresh"] = "true"
        return response

    def failed_rows_view(self, request: HttpRequest, import_id: UUID) -> StreamingHttpResponse:
        """The rows that failed, to be corrected and sent again."""
        row = self.get_object(request, str(import_id))
        if row is None or not self.has_view_permission(request):
            raise PermissionDenied
        columns = [*row.columns, "extra", "line", "error"]
        return StreamingHttpResponse(
            write_csv(columns=columns, rows=failed_rows(row)),
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": 'attachment; filename="failed-rows.csv"',
                "Cache-Control": "private, no-store",
            },
        )

    @display(description="File")
    def file_line(self, row: LeadImport) -> Any:
        """Its name."""
        return show.cut(row.filename)

    @display(description="Mode")
    def mode_badge(self, row: LeadImport) -> Any:
        """Whether it writes anything."""
        is_dry = row.mode == LeadImport.Mode.DRY_RUN
        return show.badge("Dry run") if is_dry else show.badge("Import", "primary")

    @display(description="Status")
    def state(self, row: LeadImport) -> Any:
        """How it stands."""
        return show.state_badge(row.status, JOB_TONES)

    @display(description="Progress")
    def share(self, row: LeadImport) -> Any:
        """How far it has come."""
        return show.bar(row.job.progress, tone="plain")

    @display(description="New / updated / failed")
    def outcome(self, row: LeadImport) -> str:
        """What became of the rows."""
        return f"{row.created:,} / {row.updated:,} / {row.failed:,}"

    @display(description="Who")
    def who(self, row: LeadImport) -> Any:
        """Whoever asked for it."""
        if not hasattr(row, "actor_name"):
            self.complete([row])
        return show.cut(row.actor_name)  # type: ignore[attr-defined]

    @display(description="Asked for")
    def asked(self, row: LeadImport) -> Any:
        """When."""
        return show.moment(row.created_at)


def _uploaded(request: HttpRequest) -> Any:
    file = request.FILES.get("file")
    if file is None:
        raise InvalidInput.field("file", "Choose a file.")
    return file


def _mapped(preview: Preview) -> Any:
    """Each column with what it is taken for and an example."""
    suggested = preview.suggested_mapping["columns"]
    for name in preview.columns:
        examples = (row.get(name, "") for row in preview.rows)
        yield name, suggested.get(name, ""), next((one for one in examples if one.strip()), "")


def _mapping(request: HttpRequest) -> dict[str, Any]:
    """The mapping as the page's fields say it."""
    chosen = zip(request.POST.getlist("column"), request.POST.getlist("target"), strict=False)
    columns = {
        name: f"{EXTRA}{name}" if target == EXTRA else target for name, target in chosen if target
    }
    source, template = request.POST.get("source", "").strip(), request.POST.get("email", "").strip()
    empty = request.POST.get("empty_values", "").split(",")
    return {
        "columns": columns,
        "constants": {"source": source} if source and "source" not in columns.values() else {},
        "templates": {"email": template} if template else {},
        "empty_values": [one.strip() for one in empty if one.strip()],
    }


def _refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    return TemplateResponse(
        request,
        "unfold/helpers/messages/error.html",
        {"error": sentence_of(refusal)},
        headers={"HX-Retarget": "#import-errors", "HX-Reswap": "innerHTML"},
    )


def _state(row: LeadImport) -> dict[str, Any]:
    """How far an import, or its undoing, has come."""
    job = row.undo_job if row.undo_job is not None else row.job
    return {
        "import": row,
        "job": job,
        "badge": show.state_badge(row.status, JOB_TONES),
        "is_undoing": row.undo_job is not None,
        "is_running": not job.has_ended,
        "progress": job.progress if not job.has_ended else 100,
        "counts": [
            ("Rows", row.job.total),
            ("Created", row.created),
            ("Updated", row.updated),
            ("Skipped", row.skipped),
            ("Failed", row.failed),
        ],
        "errors": row.job.errors[:20],
        "not_undone": row.undo_job.errors[:20] if row.undo_job else [],
        "progress_address": reverse("admin:leads_leadimport_progress", args=[row.pk]),
        "failed_rows_address": reverse("admin:leads_leadimport_failed_rows", args=[row.pk]),
    }
