"""Importing a file: look at it, map its columns, try it or do it, follow it, undo it.

An app's page names its kind of row and what is asked beside the columns:

    @admin.register(LeadImport)
    class LeadImportAdmin(ImportAdmin):
        kind = LEAD_IMPORTS
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.decorators import display
from unfold.enums import ActionVariant

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.operations import Operation
from apps.core.admin.refusals import sentence_of
from apps.core.admin.start_page import Panel, panel
from apps.core.admin.system import JOB_TONES
from apps.core.admin.visitors import actor_of
from apps.core.api.imports import failed_rows_download
from apps.core.errors import InvalidInput, Refusal
from apps.core.imports.kind import ImportKind
from apps.core.imports.models import ImportedFile
from apps.core.imports.requests import (
    Preview,
    import_visible_to,
    preview_import,
    request_import,
    undo_import,
)
from apps.core.jobs import cancel_job
from apps.core.models import Job
from apps.core.permissions import VIEW_SYSTEM


@dataclass(frozen=True)
class Asked:
    """A fact that is asked for all rows, beside the columns.

    Attributes:
        name: of the fact.
        label: of the field.
        value: that stands in it where no column is taken for the fact.
        example: shown while it is empty.
        note: below it.
        is_template: whether it is made from columns, such as `{ID}@leads.example`.
    """

    name: str
    label: str
    value: str = ""
    example: str = ""
    note: str = "Counts where no column says it."
    is_template: bool = False


def cancel_import(kind: ImportKind, *, import_id: UUID, actor: Actor) -> Job:
    """Stop an import after the batch at hand."""
    return cancel_job(job_id=import_visible_to(kind, actor, import_id).job_id, actor=actor)


def _can_be_cancelled(imported: ImportedFile) -> bool:
    return not imported.job.has_ended and imported.job.cancel_requested_at is None


def _can_be_undone(imported: ImportedFile) -> bool:
    return (
        imported.job.has_ended
        and imported.undo_job is None
        and imported.mode == ImportedFile.Mode.APPLY
        and bool(imported.created or imported.updated)
    )


def _operations_on(kind: ImportKind) -> tuple[Operation, ...]:
    return (
        Operation(
            name="cancel",
            label="Cancel",
            permission=kind.permission,
            one=partial(cancel_import, kind),
            offered=_can_be_cancelled,
            asks_first=True,
            sentence="What is already written stays, and can be undone.",
            icon="stop_circle",
        ),
        Operation(
            name="undo",
            label="Undo the import",
            permission=kind.permission,
            one=partial(undo_import, kind),
            offered=_can_be_undone,
            asks_first=True,
            sentence=(
                f"Created {kind.name} go to the bin, updated ones get back their values. "
                f"Those that somebody changed since are left alone."
            ),
            icon="undo",
            tone=ActionVariant.DANGER,
        ),
    )


# By the kind of their jobs.
_followed: dict[str, ImportKind] = {}


class ImportAdmin(ActorAdmin):
    """Imported files: one's own, or everybody's for those who may see the system.

    Attributes:
        kind: of their rows.
        asked: facts that are asked beside the columns.
        entries: what a column can become besides a fact: an object with a dot, and its words.
    """

    kind: ClassVar[ImportKind]
    asked: ClassVar[tuple[Asked, ...]] = ()
    entries: ClassVar[tuple[tuple[str, str], ...]] = ()

    subject = "import_id"
    adds = staticmethod(request_import)
    shows_happenings = False
    list_display = ("file_line", "mode_badge", "state", "share", "outcome", "who", "asked_at")
    list_select_related = ("job", "undo_job")
    sortable_by = ()
    fields = ("file_line", "mode_badge", "match_on", "who", "created_at")
    readonly_fields = fields
    change_form_before_template = "admin/core/imports/import.html"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.read = cls.write = cls.kind.permission
        cls.operations = _operations_on(cls.kind)
        _followed[cls.kind.job_kind] = cls.kind

    def rows(self, actor: Actor, *, with_bin: bool = False) -> Any:
        """One's own, or all."""
        return _imports_of(self.kind, actor)

    def get_urls(self) -> list[Any]:
        """The pages of an import, besides list and detail."""
        wrap = self.admin_site.admin_view
        return [
            path("add/preview/", wrap(self.preview_view), name=self._name("preview")),
            path(
                "<uuid:import_id>/progress/", wrap(self.progress_view), name=self._name("progress")
            ),
            path(
                "<uuid:import_id>/failed-rows.csv",
                wrap(self.failed_rows_view),
                name=self._name("failed_rows"),
            ),
            *super().get_urls(),
        ]

    def _name(self, page: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"

    def _address(self, page: str, *arguments: Any) -> str:
        return reverse(f"admin:{self._name(page)}", args=arguments)

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
            "title": f"Import {self.kind.name}",
            "kind": self.kind,
            "preview_address": self._address("preview"),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/core/imports/new.html", context)

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the chosen file looks like, and a mapping to start from."""
        try:
            preview = preview_import(self.kind, file=_uploaded(request), actor=actor_of(request))
        except Refusal as refusal:
            return _refused(request, refusal)
        return TemplateResponse(
            request,
            "admin/core/imports/preview.html",
            {
                "preview": preview,
                "mapped": list(_mapped(preview)),
                "targets": [(name, show.words(name)) for name in self.kind.targets.names],
                "entries": self.entries,
                "asked": list(self._still_asked(preview)),
                "rows": [[row.get(name, "") for name in preview.columns] for row in preview.rows],
                "noun": self.kind.targets.noun.partition(" ")[2],
                "match_on": self.kind.files.MatchOn.choices,
                "add_address": self._address("add"),
            },
        )

    def _still_asked(self, preview: Preview) -> Iterator[Asked]:
        """What is asked beside the columns; nothing is proposed where a column says it."""
        taken = preview.suggested_mapping["columns"].values()
        for one in self.asked:
            yield replace(one, value="") if one.name in taken else one

    def _start(self, request: HttpRequest) -> HttpResponse:
        try:
            file = _uploaded(request)
            started = request_import(
                self.kind,
                file=file,
                filename=file.name,
                mapping=self._mapping(request),
                mode=request.POST.get("mode", ImportedFile.Mode.DRY_RUN),
                match_on=request.POST.get("match_on", self.kind.files.MatchOn.values[0]),
                actor=actor_of(request),
            )
        except Refusal as refusal:
            return _refused(request, refusal)
        return HttpResponse(headers={"HX-Redirect": show.page_of(self.model, started.pk)})

    def _mapping(self, request: HttpRequest) -> dict[str, Any]:
        """The mapping as the page's fields say it."""
        chosen = zip(request.POST.getlist("column"), request.POST.getlist("target"), strict=False)
        kept = [prefix for prefix, _ in self.entries]
        columns = {
            name: f"{target}{name}" if target in kept else target
            for name, target in chosen
            if target
        }
        empty = request.POST.get("empty_values", "").split(",")
        mapping: dict[str, Any] = {
            "columns": columns,
            "constants": {},
            "templates": {},
            "empty_values": [one.strip() for one in empty if one.strip()],
        }
        for one in self.asked:
            value = request.POST.get(one.name, "").strip()
            if value and one.is_template:
                mapping["templates"][one.name] = value
            elif value and one.name not in columns.values():
                mapping["constants"][one.name] = value
        return mapping

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
        context = {**(extra_context or {}), **({"state": self._state(row)} if row else {})}
        return super().changeform_view(request, object_id, form_url, context)

    def progress_view(self, request: HttpRequest, import_id: UUID) -> HttpResponse:
        """How far an import has come; the page is loaded anew when it has ended."""
        state = self._state(self._seen(request, import_id))
        response = TemplateResponse(request, "admin/core/imports/progress.html", {"state": state})
        if not state["is_running"]:
            response["HX-Refresh"] = "true"
        return response

    def failed_rows_view(self, request: HttpRequest, import_id: UUID) -> HttpResponseBase:
        """The rows that failed, to be corrected and sent again."""
        return failed_rows_download(self._seen(request, import_id))

    def _seen(self, request: HttpRequest, import_id: UUID) -> Any:
        row = self.get_object(request, str(import_id))
        if row is None or not self.has_view_permission(request):
            raise PermissionDenied
        return row

    def _state(self, row: ImportedFile) -> dict[str, Any]:
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
            "progress_address": self._address("progress", row.pk),
            "failed_rows_address": self._address("failed_rows", row.pk),
        }

    @display(description="File")
    def file_line(self, row: ImportedFile) -> Any:
        """Its name."""
        return show.cut(row.filename)

    @display(description="Mode")
    def mode_badge(self, row: ImportedFile) -> Any:
        """Whether it writes anything."""
        is_dry = row.mode == ImportedFile.Mode.DRY_RUN
        return show.badge("Dry run") if is_dry else show.badge("Import", "primary")

    @display(description="Status")
    def state(self, row: ImportedFile) -> Any:
        """How it stands."""
        return show.state_badge(row.status, JOB_TONES)

    @display(description="Progress")
    def share(self, row: ImportedFile) -> Any:
        """How far it has come."""
        return show.bar(row.job.progress, tone="plain")

    @display(description="New / updated / failed")
    def outcome(self, row: ImportedFile) -> str:
        """What became of the rows."""
        return f"{row.created:,} / {row.updated:,} / {row.failed:,}"

    @display(description="Who")
    def who(self, row: ImportedFile) -> Any:
        """Whoever asked for it."""
        if not hasattr(row, "actor_name"):
            self.complete([row])
        return show.cut(row.actor_name)  # type: ignore[attr-defined]

    @display(description="Asked for")
    def asked_at(self, row: ImportedFile) -> Any:
        """When."""
        return show.moment(row.created_at)


def _imports_of(kind: ImportKind, actor: Actor) -> Any:
    """The imports of a kind that an actor follows: one's own, or all."""
    imports = kind.files._default_manager.select_related("job", "undo_job")
    return imports if actor.may(VIEW_SYSTEM) else imports.filter(job__actor_id=actor.id)


@panel(order=50)
def imports_in_progress(actor: Actor) -> Panel | None:
    """The imports that are being worked off right now: one's own, or all."""
    jobs = Job.objects.filter(
        kind__in=_followed, status__in=(Job.Status.PENDING, Job.Status.RUNNING)
    )
    own = jobs if actor.may(VIEW_SYSTEM) else jobs.filter(actor_id=actor.id)
    running = list(own.order_by("-created_at")[:5])
    if not running:
        return None
    return Panel(
        title="Imports in progress",
        template="admin/core/imports/in_progress.html",
        context={"imports": [_in_progress(one) for one in running]},
    )


def _in_progress(job: Job) -> tuple[str, str, int]:
    """Where the import that a job works off is shown, its file and how far it has come, in %."""
    files = _followed[job.kind].files
    imported = files._default_manager.get(job=job)
    return show.page_of(files, imported.pk), imported.filename, job.progress


def _uploaded(request: HttpRequest) -> Any:
    file = request.FILES.get("file")
    if file is None:
        raise InvalidInput.field("file", "Choose a file.")
    return file


def _mapped(preview: Preview) -> Iterator[tuple[str, str, str]]:
    """Each column with what it is taken for and an example."""
    suggested = preview.suggested_mapping["columns"]
    for name in preview.columns:
        examples = (row.get(name, "") for row in preview.rows)
        yield name, suggested.get(name, ""), next((one for one in examples if one.strip()), "")


def _refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    return TemplateResponse(
        request,
        "unfold/helpers/messages/error.html",
        {"error": sentence_of(refusal)},
        headers={"HX-Retarget": "#import-errors", "HX-Reswap": "innerHTML"},
    )
