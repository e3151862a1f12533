"""The pages of the change history and of the access log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from unfold.decorators import display

from apps.core.access_log import accesses_visible_to, of_row
from apps.core.accesses import Reading, personal_kinds
from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.changes import NOBODY, values_of_each
from apps.core.admin.lists import ChoiceOf, DaysFilter, IndexedChangeList
from apps.core.admin.system import as_id
from apps.core.admin.visitors import actor_of
from apps.core.history import about, changes_visible_to, everything_audited
from apps.core.models import Access, Change
from apps.core.permissions import READ_AUDIT

ACTION_TONES = {"made": "success", "changed": "info", "removed": "danger", "erased": "warning"}


class KindFilter(ChoiceOf):
    """Narrows the history to one kind of row."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Every table with a history."""
        return [(kind, show.words(kind)) for kind in everything_audited()]


@admin.register(Change)
class ChangeAdmin(ActorAdmin):
    """Who made what of every row. Nobody changes it."""

    read = READ_AUDIT
    shows_happenings = False
    ordering = ("-sequence",)
    list_display = ("sequence", "what", "record", "changed", "who", "came_through", "happened")
    list_display_links = ("sequence", "what")
    list_filter = (KindFilter, ("changed_at", DaysFilter))
    search_fields = ("row_id",)
    search_help_text = "The id of a record, or the id or e-mail address of a person"
    sortable_by = ()
    fields = (
        "sequence",
        "kind",
        "row_id",
        "what",
        "who",
        "door",
        "request_id",
        "changed_at",
        "erased_at",
        "values",
    )
    readonly_fields = fields

    def rows(self, actor: Actor, *, with_bin: bool = False) -> Any:
        """All of them: the right to see the history knows no reach."""
        return changes_visible_to(actor) if actor.may(READ_AUDIT) else Change.objects.none()

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """One change, with what the actor may see of it."""
        change = super().get_object(request, object_id, from_field)
        if change is not None:
            (change.shown,) = values_of_each([change], actor_of(request))
        return change

    def get_changelist_instance(self, request: HttpRequest) -> IndexedChangeList:
        """The list, with what the actor may see of its changes."""
        found: IndexedChangeList = super().get_changelist_instance(request)
        changes = list(found.result_list)
        for change, shown in zip(changes, values_of_each(changes, actor_of(request)), strict=True):
            change.shown = shown
        found.result_list = changes
        return found

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """What became of a record, or what a person did; both are indexed."""
        typed = search_term.strip()
        if not typed:
            return queryset, False
        identifier = as_id(typed)
        if identifier is None:
            person = get_user_model()._default_manager.filter(email__iexact=typed).first()
            return (queryset.filter(actor_id=person.pk) if person else queryset.none()), False
        of_record = about(queryset, identifier)
        return (of_record if of_record.exists() else queryset.filter(actor_id=identifier)), False

    def complete(self, page: Sequence[Any]) -> None:
        """The names of those who acted."""
        names = show.names_of_people(row.actor_id for row in page if row.actor_id)
        for row in page:
            row.actor_name = names.get(row.actor_id, NOBODY)

    @display(description="What")
    def what(self, row: Change) -> Any:
        """Made, changed, removed or erased."""
        return show.state_badge(row.action, ACTION_TONES)

    @display(description="Record")
    def record(self, row: Change) -> Any:
        """Which row."""
        model = everything_audited()[row.kind].model
        return show.two_lines(show.words(row.kind), show.link(model, row.row_id, row.row_id))

    @display(description="Fields")
    def changed(self, row: Any) -> Any:
        """Which fields."""
        return show.cut(", ".join(name for name, *_ in row.shown))

    @display(description="Who")
    def who(self, row: Any) -> Any:
        """In whose name."""
        return show.cut(show.name_of_actor(row)) if row.actor_id else NOBODY

    @display(description="Door")
    def came_through(self, row: Change) -> str:
        """How they came in."""
        return show.words(row.door)

    @display(description="When")
    def happened(self, row: Change) -> Any:
        """When."""
        return show.moment(row.changed_at)

    @display(description="Values")
    def values(self, row: Any) -> Any:
        """Field by field."""
        return show.table(("Field", "Before", "After"), row.shown)


READING_TONES = {"exported": "warning", "history": "info"}
SHOWN_IDS = 500


class PersonalKindFilter(ChoiceOf):
    """Narrows the access log to one kind of row."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Every kind of row about people."""
        return [(kind, show.words(kind)) for kind in personal_kinds()]


class ReadingFilter(ChoiceOf):
    """Narrows the access log to one way of reading."""

    title = "reading"
    parameter_name = "reading"
    choices_offered = tuple((one.value, show.words(one.value)) for one in Reading)


class DoorFilter(ChoiceOf):
    """Narrows the access log to one door."""

    title = "door"
    parameter_name = "door"
    choices_offered = tuple(
        (one, show.words(one)) for one in ("rest", "graphql", "back_office", "export", "command")
    )


@admin.register(Access)
class AccessAdmin(ActorAdmin):
    """Who was shown which rows about people. Nobody changes it."""

    read = READ_AUDIT
    shows_happenings = False
    ordering = ("-sequence",)
    list_display = ("sequence", "what", "how", "count", "who", "came_through", "happened")
    list_display_links = ("sequence", "what")
    list_filter = (PersonalKindFilter, ReadingFilter, DoorFilter, ("read_at", DaysFilter))
    search_fields = ("actor_id",)
    search_help_text = "The id of a record or request, or the id or e-mail address of a person"
    sortable_by = ()
    fields = ("sequence", "what", "how", "who", "door", "request_id", "read_at", "rows_shown")
    readonly_fields = fields

    def rows(self, actor: Actor, *, with_bin: bool = False) -> Any:
        """All of them: the right to see the log knows no reach."""
        return accesses_visible_to(actor) if actor.may(READ_AUDIT) else Access.objects.none()

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """What a person read, who was shown a record, or what one request showed."""
        typed = search_term.strip()
        if not typed:
            return queryset, False
        people = get_user_model()._default_manager
        identifier = as_id(typed)
        if identifier is None:
            person = people.filter(email__iexact=typed).first()
            if person is None:
                return queryset.filter(request_id=typed), False
            return queryset.filter(actor_id=person.pk), False
        if people.filter(pk=identifier).exists():
            return queryset.filter(actor_id=identifier), False
        shown = of_row(queryset, identifier)
        return (shown if shown.exists() else queryset.filter(request_id=typed)), False

    def complete(self, page: Sequence[Any]) -> None:
        """The names of those who read."""
        names = show.names_of_people(row.actor_id for row in page)
        for row in page:
            row.actor_name = names.get(row.actor_id, NOBODY)

    @display(description="What")
    def what(self, row: Access) -> str:
        """Which kind of row."""
        return show.words(row.kind)

    @display(description="How")
    def how(self, row: Access) -> Any:
        """Listed, shown, exported or in the history."""
        return show.state_badge(row.reading, READING_TONES)

    @display(description="Rows")
    def count(self, row: Access) -> int:
        """How many."""
        return len(row.row_ids)

    @display(description="Who")
    def who(self, row: Any) -> Any:
        """Who read."""
        if not hasattr(row, "actor_name"):
            self.complete([row])
        return show.cut(show.name_of_actor(row))

    @display(description="Door")
    def came_through(self, row: Access) -> str:
        """How they came in."""
        return show.words(row.door)

    @display(description="When")
    def happened(self, row: Access) -> Any:
        """When."""
        return show.moment(row.read_at)

    @display(description="Rows")
    def rows_shown(self, row: Access) -> Any:
        """Each with a link."""
        model = personal_kinds()[row.kind]
        links = ((show.link(model, one, one),) for one in row.row_ids[:SHOWN_IDS])
        return show.table((show.words(row.kind),), links)
