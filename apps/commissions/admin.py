"""Pages of commission plans and of what people came to be due."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.commissions.models import CommissionEntry, CommissionMember, CommissionPlan
from apps.commissions.permissions import CALCULATE_COMMISSION, PLAN_COMMISSION, READ_COMMISSION
from apps.commissions.rules import Tier, check_tiers, tiers_kept, tiers_read
from apps.commissions.services.calculation import Calculation, calculate_commissions
from apps.commissions.services.plans import (
    add_commission_plan,
    put_on_plan,
    retire_commission_plan,
)
from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.inlines import ReadOnlyInline
from apps.core.admin.operations import Operation, OperationForm, day, picker, text
from apps.core.admin.service_forms import ServiceForm
from apps.core.errors import InvalidInput
from apps.core.periods import PeriodKind, organisation_today, period_containing
from apps.users.models import User


class PlanForm(ServiceForm):
    """One tier a line: above how many percent of the quota, and the percentage that is paid."""

    tiers = forms.CharField(
        widget=UnfoldAdminTextareaWidget({"rows": 4}),
        help_text="One a line: 0 5 pays 5 % from the start, 100 8 pays 8 % above the quota.",
    )

    def clean_tiers(self) -> list[dict[str, str]]:
        """The tiers as a plan keeps them."""
        lines = [one.split() for one in self.cleaned_data["tiers"].splitlines() if one.strip()]
        try:
            return tiers_kept(check_tiers([_tier(*words) for words in lines]))
        except (InvalidOperation, TypeError):
            raise forms.ValidationError("Give two numbers a line, such as 100 8.") from None
        except InvalidInput as refusal:
            raise forms.ValidationError(refusal.message) from None


def _tier(above: str, rate: str) -> Tier:
    tier = Tier(Decimal(above), Decimal(rate))
    if not (0 <= tier.rate <= 100 and 0 <= tier.above < 100_000):
        raise InvalidOperation
    return tier


def _add(*, actor: Actor, tiers: Any, **facts: Any) -> CommissionPlan:
    return add_commission_plan(**facts, tiers=tiers_read(tiers), actor=actor)


class MemberForm(OperationForm):
    """Who goes on the plan, and when."""

    user_id = picker("Person", CommissionMember, "user", required=True)
    starts_on = day("From", required=True)

    def prepare(self) -> None:
        """Only people who work here."""
        people: Any = self.fields["user_id"]
        people.queryset = User.objects.active()
        self.initial.setdefault("starts_on", organisation_today())


class PeriodForm(OperationForm):
    """For when."""

    period = text("Period", required=True, help_text="Such as Q1_2026, M03_2026 or FY_2026.")

    def prepare(self) -> None:
        """The period of its kind that goes on."""
        if self.row is not None:
            self.initial["period"] = period_containing(
                organisation_today(),
                PeriodKind(self.row.pays_by),
                start_month=settings.FISCAL_YEAR_START_MONTH,
            ).key


def _calculate(*, plan_id: UUID, period: str, actor: Actor) -> Calculation:
    """What everybody within reach is due who was ever on the plan."""
    people = CommissionMember.objects.visible_to(actor).filter(plan_id=plan_id)
    user_ids = list(people.values_list("user_id", flat=True).distinct())
    return calculate_commissions(period=period, user_ids=user_ids, actor=actor)


class MembersInline(ReadOnlyInline):
    """Who earns by a plan."""

    model = CommissionMember
    related = ("user",)
    ordering = ("-starts_on", "user__name")
    fields = ("user", "starts_on", "ends_on")
    verbose_name_plural = "People"


@admin.register(CommissionPlan)
class CommissionPlanAdmin(ActorAdmin):
    """What is paid for what is sold."""

    read = READ_COMMISSION
    write = PLAN_COMMISSION
    subject = "plan_id"
    adds = staticmethod(_add)
    form = PlanForm
    ordering = ("name",)
    list_display = ("name", "pays_by", "paid", "overlay", "state")
    sortable_by = ()
    add_fieldsets = ((None, {"fields": ("name", "pays_by", "tiers", "overlay_rate")}),)
    fields = (("name", "pays_by"), ("paid", "overlay"), "state")
    readonly_fields = ("paid", "overlay", "state")
    inlines = (MembersInline,)
    operations = (
        Operation(
            name="calculate",
            label="Calculate",
            permission=CALCULATE_COMMISSION,
            one=_calculate,
            form=PeriodForm,
            icon="calculate",
            tone=ActionVariant.PRIMARY,
            sentence="Works out what its people are due; the ledger gets the difference.",
            leads_to=lambda found: show.list_of(CommissionEntry, period=found.period.key),
        ),
        Operation(
            name="member",
            label="Put somebody on it",
            permission=PLAN_COMMISSION,
            one=put_on_plan,
            form=MemberForm,
            offered=lambda plan: plan.is_active,
            icon="person_add",
            sentence="The plan before ends the day before.",
        ),
        Operation(
            name="retire",
            label="Retire",
            permission=PLAN_COMMISSION,
            one=retire_commission_plan,
            offered=lambda plan: plan.is_active,
            asks_first=True,
            icon="block",
            sentence="Nobody new goes on it; those who are stay.",
            is_secondary=True,
        ),
    )

    def facts_to_add(self, form: Any) -> dict[str, Any]:
        """What was filled in, and what can't be left out though it looks untouched."""
        return {**form.facts(("name", "pays_by", "tiers")), **super().facts_to_add(form)}

    @display(description="Pays")
    def paid(self, row: CommissionPlan) -> str:
        """The rates, from the first to the last."""
        return ", ".join(
            f"{one.rate.normalize():f} %"
            + (f" above {one.above.normalize():f} % of the quota" if one.above else "")
            for one in row.rates.tiers
        )

    @display(description="For help")
    def overlay(self, row: CommissionPlan) -> str:
        """The rate for the deals of others."""
        return f"{row.overlay_rate.normalize():f} %" if row.overlay_rate else show.NOTHING

    @display(description="State")
    def state(self, row: CommissionPlan) -> Any:
        """Whether people are put on it."""
        return show.badge("In use", "success") if row.is_active else show.badge("Retired")


@admin.register(CommissionEntry)
class CommissionEntryAdmin(ActorAdmin):
    """What people came to be due, entry by entry."""

    read = READ_COMMISSION
    ordering = ("-calculated_at", "-id")
    list_display = ("person", "period", "plan", "kind", "paid_at", "of", "due", "when")
    list_select_related = ("user", "plan")
    list_filter = (("user", AutocompleteSelectFilter), "period")
    sortable_by = ()
    fields = (
        ("user", "period"),
        ("plan", "kind"),
        ("paid_at", "of"),
        ("due", "when"),
    )
    readonly_fields = ("user", "period", "plan", "kind", "paid_at", "of", "due", "when")

    @display(description="Person")
    def person(self, row: CommissionEntry) -> Any:
        """Who is due it."""
        return show.cut(str(row.user))

    @display(description="Rate")
    def paid_at(self, row: CommissionEntry) -> str:
        """In percent."""
        return f"{row.rate.normalize():f} %"

    @display(description="Of")
    def of(self, row: CommissionEntry) -> Any:
        """The credits that are paid at it."""
        return show.money(row.base, row.currency)

    @display(description="Commission")
    def due(self, row: CommissionEntry) -> Any:
        """What that makes; below zero it is taken back."""
        return show.money(row.amount, row.currency)

    @display(description="Calculated")
    def when(self, row: CommissionEntry) -> Any:
        """When it was worked out."""
        return show.moment(row.calculated_at)
