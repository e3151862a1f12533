"""The base of every page: rows within the actor's reach, changed by services alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import unquote
from django.core.exceptions import FieldDoesNotExist, PermissionDenied, ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods
from unfold.dataclasses import UnfoldAction

from apps.core.accesses import Reading, is_personal
from apps.core.actors import Actor
from apps.core.admin.changes import changes_of, has_history
from apps.core.admin.display import NOTHING, list_of, names_of_people, page_of
from apps.core.admin.happenings import Happening, happenings_of
from apps.core.admin.lists import (
    BinFilter,
    CappedPaginator,
    IndexedChangeList,
    matching,
)
from apps.core.admin.more_pages import MorePagesAdmin
from apps.core.admin.operations import Operation, tell_outcome
from apps.core.admin.refusals import put_in_message, put_on_form
from apps.core.admin.service_forms import ServiceForm
from apps.core.admin.visitors import actor_of, may, note_shown
from apps.core.bulk import AT_MOST
from apps.core.errors import Refusal
from apps.core.events import kind_of
from apps.core.models import Access, Binnable
from apps.core.permissions import READ_AUDIT


class ActorAdmin(MorePagesAdmin):
    """Pages for one model.

    Attributes:
        read: the permission to see it.
        write: the permission to add and change, where `adds` and `changes` are given.
        subject: the argument by which services take a row's id.
        adds: the service that makes a row from facts.
        changes: the service that changes a row.
        version_argument: by which `changes` takes the version that was read.
        operations: what else can be done to rows.
        exact_search: columns by which a whole word is looked up besides the words of a row, each
            with the function that normalises what was typed or answers with nothing.
        list_defer: columns that only a row's page shows.
        added_page: the template that shows what `adds` returned as `issued`, this once; the row is
            its `owner`.
        shows_happenings: whether a row's page tells what happened to it.
        also_tells: columns that name other rows, each with those of their events that a row's page
            tells among its own, to whoever sees them.
        is_found_everywhere: whether the search of the whole site finds its rows.
    """

    read: ClassVar[str]
    write: ClassVar[str] = ""
    subject: ClassVar[str] = ""
    adds: ClassVar[Callable[..., Any] | None] = None
    changes: ClassVar[Callable[..., Any] | None] = None
    version_argument: ClassVar[str] = ""
    added_page: ClassVar[str] = ""
    operations: ClassVar[tuple[Operation, ...]] = ()
    exact_search: ClassVar[tuple[tuple[str, Callable[[str], Any]], ...]] = ()
    list_defer: ClassVar[tuple[str, ...]] = ()
    shows_happenings: ClassVar[bool] = True
    also_tells: ClassVar[Mapping[str, Sequence[type]]] = {}
    is_found_everywhere: ClassVar[bool] = False

    form = ServiceForm
    paginator = CappedPaginator
    ordering: ClassVar[Any] = ("-created_at", "-id")
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0
    list_filter_submit = True
    list_fullwidth = True
    warn_unsaved_form = True
    change_form_after_template = "admin/core/happenings.html"

    def __init__(self, model: type[models.Model], admin_site: Any) -> None:
        super().__init__(model, admin_site)
        if self.has_words:
            self.search_fields = ("search_vector",)
        self.panels: dict[str, str] = {}
        self.offered: dict[str, Operation] = {}
        for operation in self.operations:
            self.offer(operation)

    @cached_property
    def has_bin(self) -> bool:
        """Whether rows are deleted into a bin."""
        return issubclass(self.model, Binnable)

    @cached_property
    def has_words(self) -> bool:
        """Whether rows are found by an index of their words."""
        try:
            self.model._meta.get_field("search_vector")
        except FieldDoesNotExist:
            return False
        return True

    # --- Rows -------------------------------------------------------------------------------

    def rows(self, actor: Actor, *, with_bin: bool = False) -> Any:
        """The rows within the actor's reach."""
        manager: Any = self.model._default_manager
        rows = manager.with_bin() if with_bin and self.has_bin else manager.all()
        return rows.visible_to(actor) if hasattr(rows, "visible_to") else rows

    def get_queryset(self, request: HttpRequest) -> Any:
        """The rows of the list: in use, or in the bin when that is asked for."""
        actor = actor_of(request)
        in_bin = self.has_bin and request.GET.get(BinFilter.parameter_name) == "yes"
        rows = self.rows(actor, with_bin=in_bin)
        if in_bin:
            rows = rows.exclude(deleted_at=None)
        rows = rows.order_by(*self.get_ordering(request))
        return rows.defer("search_vector") if self.has_words else rows

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """The row of a page, from the bin too; None where there is none within reach."""
        rows = self.rows(actor_of(request), with_bin=True)
        if self.has_words:
            rows = rows.defer("search_vector")
        try:
            row = rows.filter(pk=unquote(object_id)).first()
        except (ValidationError, ValueError):
            return None
        if row is not None:
            row.viewer = actor_of(request)
            note_shown(row.viewer, [row], Reading.SHOWN)
        return row

    def complete(self, page: Sequence[Any]) -> None:
        """Look up for a whole page of rows what their columns name: here, who acted."""
        if page and hasattr(page[0], "actor_id"):
            names = names_of_people(row.actor_id for row in page)
            for row in page:
                row.actor_name = names.get(row.actor_id, NOTHING)

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> Any:
        """What a reference can be set to: rows within reach."""
        related = self.admin_site._registry.get(db_field.remote_field.model)
        if isinstance(related, ActorAdmin):
            return related.rows(actor_of(request))
        return super().get_field_queryset(db, db_field, request)

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """The rows that match what was typed."""
        typed = search_term.strip()
        if not typed:
            return queryset, False
        for column, normalise in self.exact_search:
            if value := normalise(typed):
                return queryset.filter(**{column: value}), False
        if self.has_words:
            return matching(queryset, typed), False
        return super().get_search_results(request, queryset, search_term)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[IndexedChangeList]:
        """The kind of list."""
        return IndexedChangeList

    def _create_formsets(self, request: HttpRequest, obj: Any, change: bool) -> Any:
        """What belongs to the row; whoever sees people there stands in the access log."""
        formsets, inlines = super()._create_formsets(request, obj, change)
        for one in formsets:
            note_shown(actor_of(request), [form.instance for form in one.initial_forms])
        return formsets, inlines

    # --- Rights -----------------------------------------------------------------------------

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether the model appears at all."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether rows can be seen."""
        return may(request, self.read)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whether rows can be added."""
        return self.adds is not None and may(request, self.write)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether rows can be changed; those in the bin can't."""
        if self.changes is None or getattr(obj, "is_in_bin", False):
            return False
        return may(request, self.write)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never by Django's pages: what can be deleted has an operation for it."""
        return False

    # --- Adding and changing ----------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Let the service write what the form says. Raises the service's refusals."""
        actor = actor_of(request)
        if not change:
            added = type(self).adds(  # type: ignore[misc]
                **self.facts_to_add(form), actor=actor
            )
            row = added.owner if self.added_page else added
            obj.__dict__.update(row.__dict__)
            request.added = added  # type: ignore[attr-defined]
            return
        facts = form.facts(form.changed_data)
        if self.version_argument:
            facts[self.version_argument] = form.cleaned_data.get("read_version")
        type(self).changes(**{self.subject: obj.pk}, **facts, actor=actor)  # type: ignore[misc]

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Where to go on; or what is shown of the new row once, and never again."""
        if self.added_page:
            issued = request.added  # type: ignore[attr-defined]
            return self._shown_once(request, obj, self.added_page, issued)
        return super().response_add(request, obj, post_url_continue)

    def _shown_once(
        self, request: HttpRequest, row: Any, template: str, issued: Any
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": str(row),
            "issued": issued,
            "back": page_of(self.model, row.pk),
        }
        response = TemplateResponse(request, template, context)
        response["Cache-Control"] = "private, no-store"
        return response

    def facts_to_add(self, form: Any) -> dict[str, Any]:
        """What a new row is made of: the fields that were filled in."""
        facts: dict[str, Any] = form.facts(form.changed_data)
        return facts

    def _changeform_view(
        self, request: HttpRequest, object_id: str | None, form_url: str, extra_context: Any
    ) -> HttpResponse:
        try:
            return super()._changeform_view(request, object_id, form_url, extra_context)
        except Refusal as refusal:
            # The form is shown again with the refusal among its errors.
            request.refusal = refusal  # type: ignore[attr-defined]
            return super()._changeform_view(request, object_id, form_url, extra_context)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """The form, knowing what the service refused."""
        form = super().get_form(request, obj, change, **kwargs)
        form.refusal = getattr(request, "refusal", None)
        return form

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """What belongs to the row; nothing does before it is there."""
        return self.inlines if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The groups of fields; a row that counts its versions carries the one that was read."""
        fieldsets = [
            (title, options)
            for title, options in super().get_fieldsets(request, obj)
            if title not in self.panels or may(request, self.panels[title])
        ]
        if obj is None or not self.version_argument or not self.has_change_permission(request, obj):
            return fieldsets
        title, options = fieldsets[0]
        return [
            (title, {**options, "fields": (*options["fields"], "read_version")}),
            *fieldsets[1:],
        ]

    def log_addition(self, *args: Any) -> None:
        """Nothing: the journal tells it."""

    def log_change(self, *args: Any) -> None:
        """Nothing: the journal tells it."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """A row's page, with what happened to the row."""
        context = {"show_save_and_add_another": False, **(extra_context or {})}
        if object_id and self.tells_happenings(request, unquote(object_id)):
            context["happenings"] = partial(self._happenings, request, unquote(object_id))
            if has_history(self.model) and may(request, READ_AUDIT):
                context["changes"] = partial(changes_of, unquote(object_id), actor_of(request))
            if is_personal(self.model) and may(request, READ_AUDIT):
                context["accesses"] = list_of(Access, q=unquote(object_id))
        return super().changeform_view(request, object_id, form_url, context)

    def _happenings(self, request: HttpRequest, row_id: str) -> list[Happening]:
        """What happened to a row, and to those beside it that the reader sees."""
        row = self.get_object(request, row_id) if self.also_tells else None
        if row is None:
            return happenings_of(row_id)
        beside = {}
        for name, kinds in self.also_tells.items():
            column: Any = self.model._meta.get_field(name)
            other_id = getattr(row, column.attname)
            other: Any = self.admin_site.get_model_admin(column.related_model)
            if may(request, other.read) and other.rows(row.viewer).filter(pk=other_id).exists():
                beside[other_id] = [kind_of(one).name for one in kinds]
        return happenings_of(row_id, beside=beside)

    def add_panel(self, title: str, *columns: Callable[[Any], Any], needs: str) -> None:
        """Show on a row's page what another app knows of it, to whoever has the right.

        `columns` are displays of a row, whose `viewer` is whoever looks at it.
        """
        page: Any = self
        names = tuple(one.__name__ for one in columns)
        for one in columns:
            setattr(page, one.__name__, one)
        self.panels[title] = needs
        page.readonly_fields = (*page.readonly_fields, *names)
        first, *others = page.fieldsets
        page.fieldsets = (first, (title, {"fields": names}), *others)

    def tells_happenings(self, request: HttpRequest, object_id: str) -> bool:
        """Whether a row's page tells what happened to it."""
        return self.shows_happenings

    # --- Operations on one row --------------------------------------------------------------

    def offer(self, operation: Operation) -> None:
        """Offer an operation on the pages of this model: its own, or one of an app above."""
        name = f"operation_{operation.name}"
        self.offered[name] = operation
        setattr(self, name, self._view_of(operation))
        self._arrange_buttons()

    def _arrange_buttons(self) -> None:
        first = [name for name, one in self.offered.items() if one.one and not one.is_secondary]
        more = [name for name, one in self.offered.items() if one.one and one.is_secondary]
        self.actions_detail = [*self.own_actions_detail, *first]
        if more:
            hidden: Any = {"title": "More", "icon": "more_horiz", "items": more}
            self.actions_detail = [*self.actions_detail, hidden]

    own_actions_detail: ClassVar[tuple[str, ...]] = ()

    def _view_of(self, operation: Operation) -> Callable[..., HttpResponse]:
        """The view behind an operation's button, with what Unfold asks of an action."""

        @require_http_methods(["GET", "POST"])
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            return self.perform(request, object_id, operation)

        described: Any = view
        described.url_path = operation.name
        described.short_description = operation.label
        described.icon = operation.icon
        described.variant = operation.tone
        described.attrs = {"data-posts": True} if operation.posts_at_once else {}
        if operation.opens_dialog:
            described.dialog = _dialog(operation)
        return view

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[UnfoldAction]:
        """The buttons of a row's page: what the actor may do and the row is ready for."""
        actions: list[UnfoldAction] = super().get_actions_detail(request, object_id)
        row = self.get_object(request, object_id) if self.offered else None
        prefix = f"{self.opts.app_label}_{self.opts.model_name}_"
        fitting = []
        for action in actions:
            operation = self.offered.get(action.action_name.removeprefix(prefix))
            if operation is None or (row is not None and self._may(request, operation, row)):
                fitting.append(action)
        return fitting

    def _may(self, request: HttpRequest, operation: Operation, row: Any) -> bool:
        return may(request, operation.permission) and operation.fits(row)

    def perform(self, request: HttpRequest, object_id: str, operation: Operation) -> HttpResponse:
        """Ask what an operation needs to know, and do it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        try:
            form = operation.form(
                request.POST if request.method == "POST" else None,
                actor=actor_of(request),
                row=row,
                initial=request.GET.dict(),
            )
        except Refusal as refusal:
            put_in_message(request, refusal)
            return _go_to(request, page_of(self.model, row.pk))
        if request.method == "POST" and form.is_valid():
            try:
                return self._done(request, row, operation, form)
            except Refusal as refusal:
                if operation.posts_at_once:
                    put_in_message(request, refusal)
                    return _go_to(request, page_of(self.model, row.pk))
                put_on_form(form, refusal)
        return self._ask(
            request,
            operation,
            form,
            about=str(row),
            back=page_of(self.model, row.pk),
            extra={"original": row},
        )

    def _done(
        self, request: HttpRequest, row: Any, operation: Operation, form: Any
    ) -> HttpResponse:
        actor = actor_of(request)
        result = operation.one(  # type: ignore[misc]
            **{self.subject: row.pk}, **form.facts(), actor=actor
        )
        if operation.page:
            return self._shown_once(request, row, operation.page, result)
        messages.success(request, f"{operation.label}: done.")
        if operation.leads_to is not None:
            return _go_to(request, operation.leads_to(result))
        if self.get_object(request, str(row.pk)) is None:
            return _go_to(request, self._list_address())
        return _go_to(request, page_of(self.model, row.pk))

    def _list_address(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def _ask(
        self,
        request: HttpRequest,
        operation: Operation,
        form: Any,
        *,
        about: str,
        back: str,
        extra: dict[str, Any],
    ) -> HttpResponse:
        """The operation's questions, in a dialog or on a page of their own."""
        if request.headers.get("HX-Request"):
            context = {"dialog": _dialog(operation), "form": form}
            context["form_submit_text"] = operation.label
            return TemplateResponse(request, "admin/core/dialog.html", context)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": operation.label,
            "subtitle": about,
            "operation": operation,
            "form": form,
            "media": self.media + form.media,
            "about": about,
            "back": back,
            **extra,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/core/operation.html", context)

    # --- Operations on many rows ------------------------------------------------------------

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """What is offered for rows chosen in the list."""
        if IS_POPUP_VAR in request.GET:
            return {}
        actor = actor_of(request)
        in_bin = request.GET.get(BinFilter.parameter_name) == "yes"
        return {
            name: (partial(_perform_on_many, operation=one), name, one.label)
            for name, one in self.offered.items()
            if one.in_bulk and one.of_bin is in_bin and actor.may(one.permission)
        }

    def perform_on_many(
        self, request: HttpRequest, rows: Any, operation: Operation
    ) -> HttpResponse | None:
        """Ask what an operation needs to know, and do it to many rows."""
        is_answered = "answered" in request.POST or operation.posts_at_once
        form = operation.form(
            request.POST if is_answered else None,
            actor=actor_of(request),
            chosen=rows,
        )
        if is_answered and form.is_valid():
            ids: list[UUID] = list(rows.order_by().values_list("pk", flat=True)[: AT_MOST + 1])
            try:
                outcome = operation.run_many(
                    ids,
                    subject=self.subject,
                    actor=actor_of(request),
                    facts=form.facts(),
                )
            except Refusal as refusal:
                if operation.posts_at_once:
                    put_in_message(request, refusal)
                    return None
                put_on_form(form, refusal)
            else:
                tell_outcome(request, operation, outcome)
                return None
        chosen = request.POST.getlist("_selected_action")
        across = request.POST.get("select_across") == "1"
        return self._ask(
            request,
            operation,
            form,
            about=(
                f"All {self.opts.verbose_name_plural} of the list"
                if across
                else f"{len(chosen)} chosen {self.opts.verbose_name_plural}"
            ),
            back=request.get_full_path(),
            extra={
                "kept": [
                    ("action", request.POST.get("action", "")),
                    ("select_across", "1" if across else "0"),
                    ("index", request.POST.get("index", "0")),
                    *(("_selected_action", one) for one in chosen),
                    ("answered", "1"),
                ]
            },
        )


def _perform_on_many(
    model_admin: ActorAdmin, request: HttpRequest, rows: Any, *, operation: Operation
) -> HttpResponse | None:
    return model_admin.perform_on_many(request, rows, operation)


def _dialog(operation: Operation) -> dict[str, Any]:
    return {"title": operation.label, "description": operation.sentence}


def _go_to(request: HttpRequest, address: str) -> HttpResponse:
    """Send the browser on, from a dialog too."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)
