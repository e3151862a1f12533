"""Pages of territories: the tree, its rules, and who works where."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.postgres.forms import SimpleArrayField
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.inlines import ReadOnlyInline
from apps.core.admin.lists import ChoiceOf
from apps.core.admin.operations import Operation, OperationForm, choice, day, picker
from apps.core.admin.service_forms import ServiceForm
from apps.core.admin.visitors import actor_of
from apps.core.periods import organisation_today
from apps.territories.models import Absence, AssignmentPeriod, Territory, TerritoryMember
from apps.territories.permissions import READ_TERRITORY, WRITE_TERRITORY
from apps.territories.services.people import (
    add_member,
    end_membership,
    grant_view,
    note_absence,
)
from apps.territories.services.tree import draw_territory, redraw_territory
from apps.users.models import User

TYPE_TONES = {"geographic": "info", "account": "primary", "industry": "warning"}
ARRAYS = ("countries", "states", "zip_codes", "named_accounts")


class TerritoryForm(ServiceForm):
    """A territory; lists are typed with commas between."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ARRAYS:
            field = self.fields.get(name)
            if isinstance(field, SimpleArrayField):
                field.widget = UnfoldAdminTextInputWidget()
                field.help_text = f"{field.help_text} Several with commas between.".strip()


class MemberForm(OperationForm):
    """Who joins, as what, and for how long."""

    user_id = picker("Person", TerritoryMember, "user", required=True)
    role = choice("Role", [(value, show.words(value)) for value in TerritoryMember.Role.values])
    valid_from = day("First day", help_text="Today, if empty.")
    valid_until = day("Last day", help_text="Open, if empty.")
    capacity = forms.IntegerField(
        label="Open leads at most",
        required=False,
        min_value=0,
        widget=UnfoldAdminIntegerFieldWidget(),
    )

    def prepare(self) -> None:
        """Only people who work here."""
        self.fields["user_id"].queryset = User.objects.active()  # type: ignore[attr-defined]


class EndForm(OperationForm):
    """Whose membership ends, and when."""

    member_id = choice("Member")
    last_day = day("Last day", required=True)

    def prepare(self) -> None:
        """The members of the territory."""
        if self.row is None:
            return
        today = organisation_today()
        members = self.row.members.select_related("user")
        self.fields["member_id"].choices = [  # type: ignore[attr-defined]
            (str(one.pk), f"{one.user} · {show.words(one.role)} since {one.valid_from}")
            for one in members
            if one.valid_until is None or one.valid_until >= today
        ]
        self.fields["last_day"].initial = today


class GrantForm(OperationForm):
    """Who may look, and until when."""

    user_id = picker("Person", TerritoryMember, "user", required=True)
    expires_at = forms.SplitDateTimeField(
        label="Until", required=False, widget=UnfoldAdminSplitDateTimeWidget()
    )


class AbsenceForm(OperationForm):
    """From when to when somebody is away."""

    starts_on = day("First day", required=True)
    ends_on = day("Last day", required=True)


def end_member(*, territory_id: Any, member_id: Any, last_day: Any, actor: Actor) -> Any:
    """Let a membership of this territory end."""
    return end_membership(member_id=member_id, last_day=last_day, actor=actor)


class MembersInline(ReadOnlyInline):
    """Who works a territory."""

    model = TerritoryMember
    related = ("user",)
    ordering = ("-valid_from", "-id")
    fields = ("user", "role", "valid_from", "valid_until", "capacity")
    verbose_name_plural = "Members"


class ChildrenInline(ReadOnlyInline):
    """The territories inside a territory."""

    model = Territory
    fk_name = "parent_territory"
    related = ("owner",)
    ordering = ("name",)
    fields = ("name", "type", "owner", "is_active")
    verbose_name_plural = "Territories inside"
    show_change_link = True


class AssignmentsInline(ReadOnlyInline):
    """Whom a record belonged to, and since when: each app that assigns names its model."""

    related = ("owner", "territory")
    ordering = ("-created_at", "-id")
    fields = ("since", "until", "owner", "territory", "cause", "reason", "by")
    verbose_name_plural = "Assignments"

    @display(description="Since")
    def since(self, row: AssignmentPeriod) -> Any:
        """When it began."""
        return show.moment(row.valid.lower)

    @display(description="Until")
    def until(self, row: AssignmentPeriod) -> Any:
        """When it ended."""
        return show.moment(row.valid.upper) if row.valid.upper else show.badge("Now", "success")

    @display(description="By")
    def by(self, row: AssignmentPeriod) -> str:
        """Whoever assigned it."""
        return show.name_of_actor(row)


class TypeFilter(ChoiceOf):
    """Narrows territories to one type."""

    title = "type"
    parameter_name = "type"
    choices_offered = tuple((value, show.words(value)) for value in Territory.Type.values)


@admin.register(Territory)
class TerritoryAdmin(ActorAdmin):
    """Slices of the market."""

    read = READ_TERRITORY
    write = WRITE_TERRITORY
    subject = "territory_id"
    adds = staticmethod(draw_territory)
    changes = staticmethod(redraw_territory)
    is_found_everywhere = True
    form = TerritoryForm
    ordering = ("name", "id")
    list_display = ("title", "type_badge", "owner", "rules", "assignment", "activity")
    list_select_related = ("owner", "parent_territory")
    list_filter = (TypeFilter, ("owner", AutocompleteSelectFilter))
    sortable_by = ()
    search_fields = ("name",)
    autocomplete_fields = ("owner", "parent_territory")
    inlines = (MembersInline, ChildrenInline)
    fieldsets = (
        (None, {"fields": (("name", "type"), ("owner", "parent_territory"))}),
        ("Handing out work", {"fields": (("assignment", "priority"), "is_active")}),
        (
            "Rules: all that are given must hold",
            {
                "fields": (
                    ("countries", "states"),
                    ("zip_codes", "industry"),
                    ("min_employee_count", "max_employee_count"),
                    ("min_annual_revenue", "max_annual_revenue"),
                    "named_accounts",
                )
            },
        ),
    )
    operations = (
        Operation(
            name="member",
            label="Add a member",
            permission=WRITE_TERRITORY,
            one=add_member,
            form=MemberForm,
            icon="person_add",
            tone=ActionVariant.PRIMARY,
        ),
        Operation(
            name="end",
            label="End a membership",
            permission=WRITE_TERRITORY,
            one=end_member,
            form=EndForm,
            icon="person_remove",
        ),
        Operation(
            name="grant",
            label="Let somebody look",
            permission=WRITE_TERRITORY,
            one=grant_view,
            form=GrantForm,
            icon="visibility",
            sentence="The person sees this territory without being a member of it.",
            is_secondary=True,
        ),
    )

    @display(description="Territory")
    def title(self, row: Territory) -> Any:
        """Its name and where it lies."""
        return show.two_lines(row.name, row.parent_territory or "")

    @display(description="Type")
    def type_badge(self, row: Territory) -> Any:
        """Its type."""
        return show.state_badge(row.type, TYPE_TONES)

    @display(description="Rules")
    def rules(self, row: Territory) -> Any:
        """Its own rules in short."""
        given = [f"{show.words(name)}: {', '.join(getattr(row, name))}" for name in ARRAYS]
        given = [text for text in given if not text.endswith(": ")]
        if row.industry:
            given.append(f"Industry: {row.industry}")
        return show.cut("; ".join(given))

    @display(description="Active", boolean=True)
    def activity(self, row: Territory) -> bool:
        """Whether it takes part in routing."""
        return row.is_active


class AbsencesInline(ReadOnlyInline):
    """When a person is away."""

    model = Absence
    fields = ("starts_on", "ends_on")
    ordering = ("-starts_on",)


class MembershipsInline(ReadOnlyInline):
    """Which territories a person works."""

    model = TerritoryMember
    related = ("territory",)
    fields = ("territory", "role", "valid_from", "valid_until", "capacity")
    ordering = ("-valid_from", "-id")
    verbose_name_plural = "Territories"

    def get_queryset(self, request: Any) -> Any:
        """Those within reach."""
        rows, reach = super().get_queryset(request), actor_of(request).reach
        return rows if reach.everything else rows.filter(territory_id__any=reach.territory_ids)


people: Any = admin.site.get_model_admin(User)
people.inlines = (*people.inlines, MembershipsInline, AbsencesInline)
people.offer(
    Operation(
        name="absence",
        label="Note an absence",
        permission=WRITE_TERRITORY,
        one=note_absence,
        form=AbsenceForm,
        icon="event_busy",
        sentence="No new work is handed out to the person on these days.",
    )
)
