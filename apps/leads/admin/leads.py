"""The list of leads and a lead's page, with all that can be done to leads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from apps.accounts.admin.contacts import phone_typed
from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.lists import BinFilter, ChoiceOf, DaysFilter
from apps.core.admin.operations import (
    Operation,
    OperationForm,
    ReasonForm,
    picker,
    text,
)
from apps.core.admin.visitors import actor_of, note_shown
from apps.core.contact_points import email_key
from apps.leads.admin.merging import (
    MergeForm,
    MergesInline,
    UnmergeForm,
    described,
    merge_chosen,
    merge_here,
    unmerge_here,
)
from apps.leads.models import Lead, LeadAssignment
from apps.leads.permissions import DELETE_LEAD, MERGE_LEAD, READ_LEAD, WRITE_LEAD
from apps.leads.rules.lifecycle import allowed_statuses
from apps.leads.selectors import lead_duplicates
from apps.leads.services.assignment import assign_lead, route_leads
from apps.leads.services.bulk import BULK_OPERATIONS
from apps.leads.services.capture import change_lead, create_lead
from apps.leads.services.lifecycle import delete_lead, move_lead, restore_lead
from apps.territories.admin import AssignmentsInline
from apps.territories.models import Territory
from apps.territories.permissions import ASSIGN_TERRITORY
from apps.users.models import User

STATUS_TONES = {
    "new": "info",
    "contacted": "primary",
    "qualified": "success",
    "unqualified": "neutral",
    "converted": "success",
}


class StatusFilter(ChoiceOf):
    """Narrows leads to one status."""

    title = "status"
    parameter_name = "status"
    choices_offered = tuple((value, show.words(value)) for value in Lead.Status.values)


class WhoseFilter(ChoiceOf):
    """One's own leads, or those that nobody has."""

    title = "ownership"
    parameter_name = "whose"
    choices_offered = (("mine", "Mine"), ("nobody", "Nobody's: unrouted"))

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Those leads."""
        if self.value() == "mine":
            return queryset.filter(owner_id=actor_of(request).id)
        return queryset.unrouted() if self.value() == "nobody" else queryset


class AssignForm(OperationForm):
    """Where leads go, and why."""

    territory_id = picker(
        "Territory", Lead, "territory", help_text="It stays where it is, if empty."
    )
    owner_id = picker(
        "Person", Lead, "owner", help_text="The territory's own rule chooses, if empty."
    )
    reason = text("Reason", help_text="Kept in the history.")

    def prepare(self) -> None:
        """Only territories within reach, and people who work here."""
        territories: Any = self.fields["territory_id"]
        people: Any = self.fields["owner_id"]
        territories.queryset = Territory.objects.visible_to(self.actor)
        people.queryset = User.objects.active()


def route_lead(*, lead_id: UUID, actor: Actor) -> None:
    """Let the territories' rules place one lead anew."""
    (result,) = route_leads(ids=[lead_id], actor=actor)
    if result.refusal:
        raise result.refusal


def _can_become(status: str) -> Callable[[Lead], bool]:
    def can(lead: Lead) -> bool:
        return status in allowed_statuses(lead.status)

    return can


def _move(status: str, **facts: Any) -> Operation:
    return Operation(
        permission=WRITE_LEAD,
        one=partial(move_lead, status=status),
        many=partial(BULK_OPERATIONS["status"].run, status=status),
        offered=_can_become(status),
        in_bulk=True,
        **facts,
    )


class LeadAssignmentsInline(AssignmentsInline):
    """Whom a lead belonged to."""

    model = LeadAssignment


def capture_lead(*, actor: Actor, **facts: Any) -> Lead:
    """Capture a lead; one with an address we have is refused."""
    lead, _ = create_lead(actor=actor, **facts)
    return lead


@admin.register(Lead)
class LeadAdmin(ActorAdmin):
    """Unproven interest, on its way to a deal."""

    read = READ_LEAD
    write = WRITE_LEAD
    subject = "lead_id"
    adds = staticmethod(capture_lead)
    changes = staticmethod(change_lead)
    version_argument = "expected_version"
    is_found_everywhere = True
    list_display = (
        "person",
        "company_line",
        "status_badge",
        "score_bar",
        "place",
        "source_line",
        "captured",
    )
    list_select_related = ("owner", "territory")
    list_defer = ("metadata", "attribution", "score_reasons")
    list_filter = (
        StatusFilter,
        WhoseFilter,
        ("territory", AutocompleteSelectFilter),
        ("owner", AutocompleteSelectFilter),
        ("created_at", DaysFilter),
        BinFilter,
    )
    sortable_by = ("score_bar", "captured")
    search_help_text = (
        "Words of name, company, title or city; a whole e-mail address or phone number"
    )
    exact_search = (("email_key", email_key), ("phone_key", phone_typed))
    inlines = (LeadAssignmentsInline, MergesInline)
    readonly_fields = (
        "status_badge",
        "status_reason",
        "score_bar",
        "reasons",
        "owner",
        "territory",
        "routing_reason",
        "similar",
        "created_at",
        "updated_at",
    )
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("status_badge", "score_bar"),
                    ("owner", "territory"),
                    ("routing_reason", "status_reason"),
                    "reasons",
                    "similar",
                )
            },
        ),
        ("Person", {"fields": (("first_name", "last_name"), ("email", "phone"), "title")}),
        (
            "Company",
            {
                "fields": (
                    ("company", "industry"),
                    ("annual_revenue", "currency"),
                    "employee_count",
                    ("country", "state"),
                    ("city", "postal_code"),
                )
            },
        ),
        (
            "Origin",
            {
                "fields": (
                    ("source", "campaign_id"),
                    ("external_source", "external_id"),
                    "marketing_score",
                    ("created_at", "updated_at"),
                )
            },
        ),
    )
    add_fieldsets = (
        (None, {"fields": ("source", ("first_name", "last_name"), ("email", "phone"), "title")}),
        (
            "Company",
            {
                "fields": (
                    ("company", "industry"),
                    ("annual_revenue", "currency"),
                    "employee_count",
                    ("country", "state"),
                    ("city", "postal_code"),
                )
            },
        ),
    )
    operations = (
        _move("contacted", name="contact", label="Contacted", icon="call"),
        _move(
            "qualified",
            name="qualify",
            label="Qualify",
            icon="check_circle",
            tone=ActionVariant.SUCCESS,
        ),
        _move(
            "unqualified",
            name="disqualify",
            label="Disqualify",
            icon="cancel",
            form=ReasonForm,
            sentence="The lead is put aside. It can be reopened.",
        ),
        _move("new", name="reopen", label="Reopen", icon="undo", form=ReasonForm),
        Operation(
            name="assign",
            label="Assign",
            permission=ASSIGN_TERRITORY,
            one=assign_lead,
            many=BULK_OPERATIONS["assign"].run,
            form=AssignForm,
            in_bulk=True,
            icon="person_add",
        ),
        Operation(
            name="route",
            label="Route anew",
            permission=ASSIGN_TERRITORY,
            one=route_lead,
            many=BULK_OPERATIONS["route"].run,
            in_bulk=True,
            icon="alt_route",
            is_secondary=True,
        ),
        Operation(
            name="merge",
            label="Merge",
            permission=MERGE_LEAD,
            one=merge_here,
            many=merge_chosen,
            form=MergeForm,
            in_bulk=True,
            icon="merge",
            sentence="The others are folded into the lead that stays. This can be undone.",
            is_secondary=True,
        ),
        Operation(
            name="unmerge",
            label="Undo a merge",
            permission=MERGE_LEAD,
            one=unmerge_here,
            form=UnmergeForm,
            icon="call_split",
            is_secondary=True,
        ),
        Operation(
            name="bin",
            label="Move to the bin",
            permission=DELETE_LEAD,
            one=delete_lead,
            many=BULK_OPERATIONS["delete"].run,
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
            permission=DELETE_LEAD,
            one=restore_lead,
            in_bulk=True,
            of_bin=True,
            icon="restore_from_trash",
            tone=ActionVariant.PRIMARY,
        ),
    )

    def rows(self, actor: Actor, *, with_bin: bool = False) -> Any:
        """Leads within reach that were not folded into another."""
        return super().rows(actor, with_bin=with_bin).unmerged()

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """The form; its fields are told who looks, for the leads that are alike."""
        if obj is not None:
            obj.seen_by = actor_of(request)
        return super().get_form(request, obj, change, **kwargs)

    @display(description="Person")
    def person(self, row: Lead) -> Any:
        """Name and position."""
        return show.two_lines(row.name or row.email, row.title or row.email)

    @display(description="Company")
    def company_line(self, row: Lead) -> Any:
        """The company."""
        return show.cut(row.company)

    @display(description="Status")
    def status_badge(self, row: Lead) -> Any:
        """The status."""
        return show.state_badge(row.status, STATUS_TONES)

    @display(description="Score", ordering="score")
    def score_bar(self, row: Lead) -> Any:
        """The score."""
        return show.bar(row.score)

    @display(description="Owner and territory")
    def place(self, row: Lead) -> Any:
        """Whose lead it is and where it lies."""
        if row.territory is None and row.owner is None:
            return show.badge("Unrouted", "warning")
        return show.two_lines(row.owner or "Nobody", row.territory or "")

    @display(description="Source")
    def source_line(self, row: Lead) -> Any:
        """Where it came from."""
        return show.cut(row.source)

    @display(description="Captured", ordering="created_at")
    def captured(self, row: Lead) -> Any:
        """When it was captured."""
        return show.moment(row.created_at)

    @display(description="Why this score")
    def reasons(self, row: Lead) -> Any:
        """Every reason with its points."""
        points = ((show.points(one["points"]), one["sentence"]) for one in row.score_reasons)
        return show.table(("Points", "Because"), points)

    @display(description="Similar leads")
    def similar(self, row: Lead) -> Any:
        """Leads that may be the same person."""
        if row.is_in_bin:
            return show.NOTHING
        hints = lead_duplicates(lead_id=row.pk, actor=row.seen_by)  # type: ignore[attr-defined]
        reasons = {one["id"]: one["why"] for one in hints["data"]}
        leads = list(Lead.objects.with_ids(reasons).defer("search_vector")) if reasons else []
        note_shown(row.seen_by, leads)  # type: ignore[attr-defined]
        lines = format_html_join(
            "",
            '<div>{} <span class="quiet">{}</span></div>',
            ((show.link(Lead, one.pk, described(one)), reasons[one.pk]) for one in leads),
        )
        if not hints["elsewhere"]:
            return lines or show.NOTHING
        return format_html("{}<div>{} more out of your reach</div>", lines, hints["elsewhere"])
