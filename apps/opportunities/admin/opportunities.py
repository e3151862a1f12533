"""The list of opportunities and an opportunity's page, with all that can be done to them."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.lists import BinFilter, ChoiceOf, DaysFilter
from apps.core.admin.operations import Operation, OperationForm, choice, picker, text
from apps.core.admin.service_forms import ServiceForm
from apps.core.admin.visitors import actor_of
from apps.core.periods import organisation_day
from apps.customer_success.admin import CUSTOMER
from apps.customer_success.events import NEWS_OF_CUSTOMERS
from apps.customer_success.permissions import READ_CUSTOMER
from apps.opportunities.admin.history import ChangesInline, DealAssignmentsInline, SpansInline
from apps.opportunities.admin.lines import LinesInline
from apps.opportunities.admin.splits import SplitForm, SplitsInline
from apps.opportunities.models import (
    Opportunity,
    Stage,
)
from apps.opportunities.permissions import (
    ASSIGN_OPPORTUNITY,
    DELETE_OPPORTUNITY,
    READ_OPPORTUNITY,
    REOPEN_OPPORTUNITY,
    WRITE_OPPORTUNITY,
)
from apps.opportunities.rules import Process, StageRule
from apps.opportunities.selectors import processes
from apps.opportunities.services.bulk import MOVE_MANY
from apps.opportunities.services.deals import (
    change_opportunity,
    create_opportunity,
    delete_opportunity,
    reassign_opportunity,
    restore_opportunity,
)
from apps.opportunities.services.splits import split_opportunity
from apps.opportunities.services.stages import move_opportunity, reopen_opportunity
from apps.territories.models import Territory
from apps.users.models import User

KIND_TONES = {"open": "info", "won": "success", "lost": "danger"}
CATEGORY_TONES = {
    "pipeline": "neutral",
    "best_case": "info",
    "commit": "primary",
    "closed": "success",
    "omitted": "neutral",
}


def process_of(deal: Opportunity) -> Process:
    """The pipeline a deal goes through."""
    return processes([deal.pipeline_id])[deal.pipeline_id]


def stages_ahead(deal: Opportunity) -> list[StageRule]:
    """Where a deal can go from where it stands."""
    process = process_of(deal)
    current = process.stage(deal.stage_key)
    return [one for one in process.stages if process.allows(current, one)]


class MoveForm(OperationForm):
    """Where a deal goes, and what is said when it does."""

    stage = choice("Stage")
    probability = forms.IntegerField(
        label="Probability in percent",
        required=False,
        min_value=0,
        max_value=100,
        help_text="The stage's, if empty.",
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    next_step = text("Next step", long=True)
    loss_reason = text("Reason of the loss", help_text="Needed when the deal is lost.")
    close_reason = text("What decided it")
    notes = text("Notes", long=True, help_text="Kept in the history.")

    def prepare(self) -> None:
        """The stages ahead of the deal; in the list all stages."""
        if self.row is not None:
            keys = [one.key for one in stages_ahead(self.row)]
        else:
            found = Stage.objects.filter(pipeline__is_active=True).order_by("position")
            keys = list(dict.fromkeys(found.values_list("key", flat=True)))
        stages: Any = self.fields["stage"]
        stages.choices = [(key, show.words(key)) for key in keys]

    def facts(self) -> dict[str, Any]:
        """What was said; what was left empty is not stated."""
        return {name: value for name, value in super().facts().items() if value not in ("", None)}


class NotesForm(OperationForm):
    """Why."""

    notes = text("Notes", long=True, help_text="Kept in the history.")


class HandOverForm(OperationForm):
    """To whom, where, and why."""

    owner_id = picker("Person", Opportunity, "owner", help_text="It stays as it is, if empty.")
    territory_id = picker(
        "Territory", Opportunity, "territory", help_text="It stays as it is, if empty."
    )
    reason = text("Reason", help_text="Kept in the history.")

    def prepare(self) -> None:
        """People who work here, and territories within reach."""
        people: Any = self.fields["owner_id"]
        territories: Any = self.fields["territory_id"]
        people.queryset = User.objects.active()
        territories.queryset = Territory.objects.visible_to(self.actor)


class DealForm(ServiceForm):
    """A deal; what it does not state follows its account or its stage."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "currency" in self.fields:
            self.fields["currency"].required = False
            self.fields["currency"].help_text = "The account's, if empty."


class StageFilter(ChoiceOf):
    """Narrows deals to one stage."""

    title = "stage"
    parameter_name = "stage_key"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Every stage of every pipeline."""
        stages = Stage.objects.order_by("position").values_list("key", "name")
        return list(dict(stages).items())


class KindFilter(ChoiceOf):
    """Narrows deals to those open, won or lost."""

    title = "outcome"
    parameter_name = "kind"
    choices_offered = (("open", "Open"), ("won", "Won"), ("lost", "Lost"))


class WhoseFilter(ChoiceOf):
    """One's own deals."""

    title = "ownership"
    parameter_name = "whose"
    choices_offered = (("mine", "Mine"),)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Those deals."""
        if self.value() != "mine":
            return queryset
        return queryset.filter(owner_id=actor_of(request).id)


@admin.register(Opportunity)
class OpportunityAdmin(ActorAdmin):
    """Deals being worked."""

    read = READ_OPPORTUNITY
    write = WRITE_OPPORTUNITY
    subject = "opportunity_id"
    adds = staticmethod(create_opportunity)
    changes = staticmethod(change_opportunity)
    version_argument = "version"
    is_found_everywhere = True
    also_tells: ClassVar = {"account": NEWS_OF_CUSTOMERS}
    form = DealForm
    list_display = (
        "title",
        "stage_badge",
        "amount_line",
        "chance",
        "category_badge",
        "closes",
        "owner_line",
        "health",
    )
    list_select_related = ("account", "owner", "stage")
    list_defer = (
        "metadata",
        "deal_score_reasons",
        "payment_schedule",
        "special_requirements",
        "next_step",
        "account__search_vector",
        "account__external_ids",
    )
    list_filter = (
        KindFilter,
        StageFilter,
        WhoseFilter,
        ("territory", AutocompleteSelectFilter),
        ("owner", AutocompleteSelectFilter),
        ("created_at", DaysFilter),
        BinFilter,
    )
    sortable_by = ("amount_line",)
    search_help_text = "Words of the name"
    autocomplete_fields = ("account", "owner", "territory")
    inlines = (LinesInline, SplitsInline, ChangesInline, SpansInline, DealAssignmentsInline)
    readonly_fields = (
        "path",
        "stage_badge",
        "health",
        "why",
        "owner",
        "territory",
        "worth",
        "weighted",
        "actual_close_date",
        "push_count",
        "lead",
        "pipeline",
        "external_source",
        "external_id",
        "created_at",
        "updated_at",
    )
    fieldsets = (
        (None, {"fields": ("path", ("stage_badge", "health"), ("worth", "weighted"), "why")}),
        (
            "Deal",
            {
                "fields": (
                    ("name", "account"),
                    ("amount", "currency"),
                    ("expected_close_date", "actual_close_date"),
                    ("probability", "forecast_category"),
                    ("owner", "territory"),
                    ("priority", "push_count"),
                    "next_step",
                )
            },
        ),
        (
            "Contract",
            {
                "fields": (
                    ("contract_term", "start_date"),
                    ("payment_terms", "billing_frequency"),
                    "special_requirements",
                )
            },
        ),
        (
            "Origin and outcome",
            {
                "fields": (
                    ("loss_reason", "close_reason"),
                    ("lead", "pipeline"),
                    ("external_source", "external_id"),
                    ("created_at", "updated_at"),
                )
            },
        ),
    )
    add_fieldsets = (
        (
            None,
            {
                "fields": (
                    ("name", "account"),
                    ("amount", "currency"),
                    ("expected_close_date", "priority"),
                    ("owner", "territory"),
                    "next_step",
                )
            },
        ),
    )
    operations = (
        Operation(
            name="move",
            label="Move",
            permission=WRITE_OPPORTUNITY,
            one=move_opportunity,
            many=MOVE_MANY.run,
            form=MoveForm,
            offered=lambda deal: deal.is_open,
            in_bulk=True,
            icon="moving",
            tone=ActionVariant.PRIMARY,
        ),
        Operation(
            name="split",
            label="Share the credit",
            permission=WRITE_OPPORTUNITY,
            one=split_opportunity,
            form=SplitForm,
            icon="pie_chart",
            is_secondary=True,
        ),
        Operation(
            name="reopen",
            label="Reopen",
            permission=REOPEN_OPPORTUNITY,
            one=reopen_opportunity,
            form=NotesForm,
            offered=lambda deal: not deal.is_open,
            in_bulk=True,
            icon="undo",
            sentence="The deal goes back to the last open stage it stood in.",
        ),
        Operation(
            name="reassign",
            label="Hand over",
            permission=ASSIGN_OPPORTUNITY,
            one=reassign_opportunity,
            form=HandOverForm,
            in_bulk=True,
            icon="move_down",
        ),
        Operation(
            name="bin",
            label="Move to the bin",
            permission=DELETE_OPPORTUNITY,
            one=delete_opportunity,
            offered=lambda deal: deal.kind != "won",
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
            permission=DELETE_OPPORTUNITY,
            one=restore_opportunity,
            in_bulk=True,
            of_bin=True,
            icon="restore_from_trash",
            tone=ActionVariant.PRIMARY,
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A new deal says whose it is to be; later it is handed over."""
        return self.readonly_fields if obj else ()

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """The owner of a new deal is found when it is left out."""
        form = super().get_form(request, obj, change, **kwargs)
        if not change and "owner" in form.base_fields:
            form.base_fields["owner"].required = False
        if obj is not None:
            obj.moved_by = self._may(request, self.offered["operation_move"], obj)
        return form

    @display(description="Opportunity")
    def title(self, row: Opportunity) -> Any:
        """Its name and account."""
        return show.two_lines(row.name, row.account)

    @display(description="Stage")
    def stage_badge(self, row: Opportunity) -> Any:
        """Where it stands."""
        return show.badge(row.stage.name, KIND_TONES[row.kind])

    @display(description="Amount", ordering="amount")
    def amount_line(self, row: Opportunity) -> Any:
        """What it is worth."""
        return show.money(row.amount, row.currency)

    @display(description="Chance")
    def chance(self, row: Opportunity) -> str:
        """Its probability."""
        return f"{row.probability} %"

    @display(description="Forecast")
    def category_badge(self, row: Opportunity) -> Any:
        """How it counts."""
        return show.state_badge(row.forecast_category, CATEGORY_TONES)

    @display(description="Closes")
    def closes(self, row: Opportunity) -> Any:
        """When it closes, or closed; marked when the day has passed."""
        day = row.actual_close_date or row.expected_close_date
        if day is None:
            return show.NOTHING
        if row.is_open and day < organisation_day(timezone.now()):
            return show.badge(f"{day} overdue", "danger")
        return f"{day}"

    @display(description="Owner")
    def owner_line(self, row: Opportunity) -> Any:
        """Whose deal it is."""
        return show.cut(str(row.owner))

    @display(description="Health")
    def health(self, row: Opportunity) -> Any:
        """Its score."""
        return show.bar(row.deal_score)

    @display(description="Path")
    def path(self, row: Opportunity) -> Any:
        """The stages of its pipeline: behind, here, and where it can go."""
        process = process_of(row)
        current = process.stage(row.stage_key)
        names = dict(Stage.objects.filter(pipeline=row.pipeline_id).values_list("key", "name"))
        may_move = getattr(row, "moved_by", False)
        return render_to_string(
            "admin/opportunities/path.html",
            {
                "move": f"{show.page_of(Opportunity, row.pk)[: -len('change/')]}move/",
                "stages": [
                    {
                        "key": one.key,
                        "name": names[one.key],
                        "probability": one.probability,
                        "is_here": one.key == current.key,
                        "is_behind": one.is_open and one.position < current.position,
                        "is_ahead": may_move and process.allows(current, one),
                    }
                    for one in process.stages
                ],
            },
        )

    @display(description="Amount")
    def worth(self, row: Opportunity) -> Any:
        """What it is worth; beside what its lines come to, when that differs."""
        amount = show.money(row.amount, row.currency)
        if row.lines_total is None or row.lines_total == row.amount:
            return amount
        lines = show.plain_money(row.lines_total, row.currency)
        return format_html('{} <span class="quiet">its products come to {}</span>', amount, lines)

    @display(description="Weighted")
    def weighted(self, row: Opportunity) -> Any:
        """What is to be expected of it."""
        return show.money(row.amount * row.probability / 100, row.currency)

    @display(description="Why this health")
    def why(self, row: Opportunity) -> Any:
        """Every reason with its points."""
        points = ((show.points(one["points"]), one["text"]) for one in row.deal_score_reasons)
        return show.table(("Points", "Because"), points)


deals: Any = admin.site.get_model_admin(Opportunity)
deals.add_panel("Customer", *CUSTOMER, needs=READ_CUSTOMER)
