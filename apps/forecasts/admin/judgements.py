"""Pages of what people say: submissions and adjustments."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.service_forms import ServiceForm
from apps.forecasts.admin.reach import PeriodFilter, nodes_within, open_periods
from apps.forecasts.models import ForecastAdjustment, ForecastSubmission, Judgement
from apps.forecasts.permissions import READ_FORECAST, SUBMIT_FORECAST
from apps.forecasts.services.submissions import submit_forecast


class JudgementAdmin(ActorAdmin):
    """Judgements of one kind. `said_by_whom` is the column of who said them."""

    said_by_whom: ClassVar[str]
    read = READ_FORECAST
    shows_happenings = False
    list_display = ("who", "period", "forecast_type", "called", "said_by", "said")
    list_select_related = ("user", "territory")
    list_filter = (PeriodFilter,)
    sortable_by = ()
    readonly_fields = ("who", "called", "said_by", "said")

    def rows(self, actor: Actor, *, with_bin: bool = False) -> Any:
        """Those about people and territories within reach."""
        return nodes_within(self.model.objects.select_related("user", "territory"), actor)

    def complete(self, page: Any) -> None:
        """Who said each."""
        by = {one.pk: getattr(one, self.said_by_whom) for one in page}
        names = show.names_of_people(by.values()) if page else {}
        for one in page:
            one.actor_name = names.get(by[one.pk], show.NOTHING)

    @display(description="Whose")
    def who(self, row: Judgement) -> Any:
        """The person or territory."""
        return show.cut(str(row.user or row.territory))

    @display(description="Amount")
    def called(self, row: Judgement) -> Any:
        """What was called."""
        return show.money(row.amount, row.currency)

    @display(description="Said by")
    def said_by(self, row: Judgement) -> str:
        """Whoever said it."""
        if not hasattr(row, "actor_name"):
            self.complete([row])
        return str(row.actor_name)  # type: ignore[attr-defined]

    @display(description="Said")
    def said(self, row: Judgement) -> Any:
        """When."""
        return show.moment(row.created_at)


class SubmissionForm(ServiceForm):
    """A person's call for one of the periods that are open."""

    period = forms.ChoiceField(choices=open_periods, widget=UnfoldAdminSelectWidget())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "user" in self.fields:
            self.fields["user"].label = "Person"
        for name, sentence in (
            ("territory", "Either a territory"),
            ("user", "or a person"),
            ("currency", "The organisation's, if empty."),
        ):
            if name in self.fields:
                self.fields[name].required = False
                self.fields[name].help_text = sentence


def _submitted(*, actor: Actor, **facts: Any) -> ForecastSubmission:
    return submit_forecast(**facts, actor=actor).submission


@admin.register(ForecastSubmission)
class SubmissionAdmin(JudgementAdmin):
    """What people say they will bring in."""

    said_by_whom = "submitted_by_id"
    write = SUBMIT_FORECAST
    adds = staticmethod(_submitted)
    form = SubmissionForm
    autocomplete_fields = ("territory", "user")
    add_fieldsets = (
        (
            None,
            {
                "fields": (
                    ("territory", "user"),
                    ("period", "forecast_type"),
                    ("amount", "currency"),
                    "notes",
                )
            },
        ),
    )
    list_defer = ("notes",)
    fields = (("who", "period"), ("forecast_type", "called"), "notes", ("said_by", "said"))

    def facts_to_add(self, form: Any) -> dict[str, Any]:
        """What was filled in, and what can't be left out though it looks untouched."""
        return {**form.facts(("period", "forecast_type", "amount")), **super().facts_to_add(form)}


@admin.register(ForecastAdjustment)
class AdjustmentAdmin(JudgementAdmin):
    """What those who lead take forecasts for, and why."""

    said_by_whom = "adjusted_by_id"
    list_display = ("who", "period", "forecast_type", "called", "why", "said_by", "said")
    fields = (("who", "period"), ("forecast_type", "called"), "reason", ("said_by", "said"))

    @display(description="Why")
    def why(self, row: ForecastAdjustment) -> Any:
        """The reason."""
        return show.cut(row.reason)
