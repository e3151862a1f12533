"""The list of activities and an activity's page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget

from apps.accounts.models import Account, Contact
from apps.activities.models import Activity
from apps.activities.permissions import DELETE_ACTIVITY, READ_ACTIVITY, WRITE_ACTIVITY
from apps.activities.rules import LONGEST_MINUTES, OutcomeKind
from apps.activities.services.activities import (
    change_activity,
    complete_activity,
    delete_activity,
    log_activity,
    restore_activity,
)
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.lists import BinFilter, ChoiceOf
from apps.core.admin.operations import Operation, OperationForm, text
from apps.leads.models import Lead
from apps.opportunities.models import Opportunity

SUBJECTS = (
    ("opportunity", Opportunity),
    ("lead", Lead),
    ("contact", Contact),
    ("account", Account),
)


_COUNTED = ", ".join(show.words(one).lower() for one in OutcomeKind.values[:-1])
OUTCOME_HELP = f"Counted: {_COUNTED}. Other words are kept, and count as other."


def minutes() -> Any:
    """A field for how long something took."""
    return forms.IntegerField(
        label="Minutes",
        required=False,
        min_value=0,
        max_value=LONGEST_MINUTES,
        widget=UnfoldAdminIntegerFieldWidget(),
    )


def standing(activity: Activity) -> Any:
    """Whether it was done, as a badge."""
    if activity.is_completed:
        return show.badge("Done", "success")
    return show.badge("Planned", "info")


class CompletionForm(OperationForm):
    """What came of it."""

    outcome = text("Outcome", help_text=OUTCOME_HELP)
    duration_minutes = minutes()


class TypeFilter(ChoiceOf):
    """Narrows activities to one type."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Every type."""
        return [(value, str(label)) for value, label in Activity.Type.choices]


class DirectionFilter(ChoiceOf):
    """Narrows activities to what came in, or went out."""

    title = "direction"
    parameter_name = "direction"
    choices_offered = tuple(Activity.Direction.choices)


class OutcomeFilter(ChoiceOf):
    """Narrows activities to what came of them."""

    title = "outcome"
    parameter_name = "outcome_kind"
    choices_offered = tuple(OutcomeKind.choices)


@admin.register(Activity)
class ActivityAdmin(ActorAdmin):
    """What was done and is to be done."""

    read = READ_ACTIVITY
    write = WRITE_ACTIVITY
    subject = "activity_id"
    adds = staticmethod(log_activity)
    changes = staticmethod(change_activity)
    ordering = ("-timeline_at", "-id")
    list_display = ("what", "about", "state", "came", "person", "when")
    list_select_related = (
        "data_key",
        "user",
        "opportunity",
        "account",
        "lead__data_key",
        "contact__data_key",
    )
    list_defer = ("description", "metadata")
    list_filter = (
        TypeFilter,
        DirectionFilter,
        OutcomeFilter,
        ("user", AutocompleteSelectFilter),
        BinFilter,
    )
    sortable_by = ()
    autocomplete_fields = ("user", "lead", "opportunity", "account", "contact")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("type", "direction"),
                    "user",
                    "subject",
                    "description",
                    ("outcome", "duration_minutes"),
                    "scheduled_at",
                    "completed_at",
                )
            },
        ),
        ("About", {"fields": (("lead", "opportunity"), ("account", "contact"))}),
    )
    operations = (
        Operation(
            name="complete",
            label="Complete",
            permission=WRITE_ACTIVITY,
            one=complete_activity,
            form=CompletionForm,
            offered=lambda activity: not activity.is_completed,
            in_bulk=True,
            icon="check",
            tone=ActionVariant.PRIMARY,
        ),
        Operation(
            name="bin",
            label="Move to the bin",
            permission=DELETE_ACTIVITY,
            one=delete_activity,
            in_bulk=True,
            asks_first=True,
            sentence="It can be restored for 30 days.",
            icon="delete",
            tone=ActionVariant.DANGER,
            is_secondary=True,
        ),
        Operation(
            name="restore",
            label="Restore",
            permission=DELETE_ACTIVITY,
            one=restore_activity,
            in_bulk=True,
            of_bin=True,
            icon="restore_from_trash",
            tone=ActionVariant.PRIMARY,
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What it is about is said once, and completing it is an operation."""
        if obj is None:
            return ()
        return ("lead", "opportunity", "account", "contact", "completed_at")

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """A new activity is done by whoever logs it, unless somebody else is named."""
        form = super().get_form(request, obj, change, **kwargs)
        if "description" in form.base_fields:
            form.base_fields["description"].widget = UnfoldAdminTextareaWidget({"rows": 4})
        if not change and "user" in form.base_fields:
            form.base_fields["user"].required = False
        return form

    @display(description="Activity")
    def what(self, row: Activity) -> Any:
        """Subject, type and direction."""
        kind = f"{row.get_type_display()}, {row.direction}" if row.direction else None
        return show.two_lines(row.subject, kind or row.get_type_display())

    @display(description="About")
    def about(self, row: Activity) -> Any:
        """The narrowest thing it is about."""
        return next(
            show.link(model, found.pk, found)
            for name, model in SUBJECTS
            if (found := getattr(row, name)) is not None
        )

    @display(description="State")
    def state(self, row: Activity) -> Any:
        """Whether it was done."""
        return standing(row)

    @display(description="Outcome")
    def came(self, row: Activity) -> Any:
        """What came of it, as it is counted."""
        return row.get_outcome_kind_display() or show.NOTHING

    @display(description="Person")
    def person(self, row: Activity) -> Any:
        """Who does it."""
        return show.cut(str(row.user))

    @display(description="When")
    def when(self, row: Activity) -> Any:
        """Where it stands in the timeline."""
        return show.moment(row.timeline_at)
