"""Pages of computed forecasts, and what they add to the start page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.inlines import ReadOnlyInline
from apps.core.admin.lists import ChoiceOf
from apps.core.admin.service_forms import ServiceForm
from apps.core.admin.start_page import Chart, Empty, Figure, Panel, Series, kept, panel
from apps.core.periods import PeriodKind, organisation_day, period_containing
from apps.forecasts.models import ForecastLine, ForecastSnapshot, ForecastSubmission
from apps.forecasts.permissions import READ_FORECAST, SUBMIT_FORECAST
from apps.forecasts.selectors.nodes import periods_open_at
from apps.forecasts.services.submissions import submit_forecast

SHOWN = 8


def nodes_within(rows: Any, actor: Actor) -> Any:
    """Those about a person or territory within reach."""
    reach = actor.reach
    if reach.everything:
        return rows
    return rows.filter(Q(user_id__any=reach.user_ids) | Q(territory_id__any=reach.territory_ids))


def _open_periods() -> list[tuple[str, str]]:
    return [(one.key, one.key) for one in periods_open_at(timezone.now())]


class PeriodFilter(ChoiceOf):
    """Narrows forecasts to one period."""

    title = "period"
    parameter_name = "period"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The periods that are forecast now."""
        return _open_periods()


class LinesInline(ReadOnlyInline):
    """What each category adds."""

    model = ForecastLine
    tab = False
    ordering = ("currency", "category")
    fields = ("category", "count", "total", "weighted")
    verbose_name_plural = "Categories"

    @display(description="Amount")
    def total(self, row: ForecastLine) -> Any:
        """The deals' worth."""
        return show.money(row.amount, row.currency)

    @display(description="Weighted")
    def weighted(self, row: ForecastLine) -> Any:
        """By probability."""
        return show.money(row.weighted_amount, row.currency)


@admin.register(ForecastSnapshot)
class ForecastAdmin(ActorAdmin):
    """What is to be expected of people and territories, as computed last."""

    read = READ_FORECAST
    shows_happenings = False
    ordering = ("-weighted_amount", "-id")
    list_display = ("who", "period", "forecast", "still_open", "closed", "computed")
    list_select_related = ("user", "territory")
    list_filter = (
        PeriodFilter,
        ("user", AutocompleteSelectFilter),
        ("territory", AutocompleteSelectFilter),
    )
    sortable_by = ()
    fields = (
        ("who", "period"),
        ("starts_on", "ends_on"),
        ("forecast", "still_open", "closed"),
        ("kind", "computed"),
    )
    readonly_fields = ("who", "forecast", "still_open", "closed", "computed")
    inlines = (LinesInline,)

    def rows(self, actor: Actor, *, with_bin: bool = False) -> Any:
        """The forecasts in effect, within reach."""
        current = ForecastSnapshot.objects.filter(is_current=True)
        return nodes_within(current.select_related("user", "territory"), actor)

    @display(description="Whose")
    def who(self, row: ForecastSnapshot) -> Any:
        """The person or territory."""
        if row.user is not None:
            return show.two_lines(row.user, "Person")
        return show.two_lines(row.territory, "Territory")

    @display(description="Forecast")
    def forecast(self, row: ForecastSnapshot) -> Any:
        """Closed, and open by probability."""
        return show.money(row.weighted_amount, row.currency)

    @display(description="Open")
    def still_open(self, row: ForecastSnapshot) -> Any:
        """What is still being worked."""
        return show.money(row.open_amount, row.currency)

    @display(description="Closed")
    def closed(self, row: ForecastSnapshot) -> Any:
        """What is won."""
        return show.money(row.closed_amount, row.currency)

    @display(description="Computed")
    def computed(self, row: ForecastSnapshot) -> Any:
        """When."""
        return show.moment(row.taken_at)


class SubmissionForm(ServiceForm):
    """A person's call for one of the periods that are open."""

    period = forms.ChoiceField(choices=_open_periods, widget=UnfoldAdminSelectWidget())

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
class SubmissionAdmin(ActorAdmin):
    """What people say they will bring in."""

    read = READ_FORECAST
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
    shows_happenings = False
    list_display = ("who", "period", "forecast_type", "called", "said_by", "said")
    list_select_related = ("user", "territory")
    list_filter = (PeriodFilter,)
    list_defer = ("notes",)
    sortable_by = ()
    fields = (("who", "period"), ("forecast_type", "called"), "notes", ("said_by", "said"))
    readonly_fields = ("who", "called", "said_by", "said")

    def facts_to_add(self, form: Any) -> dict[str, Any]:
        """What was filled in, and what can't be left out though it looks untouched."""
        return {**form.facts(("period", "forecast_type", "amount")), **super().facts_to_add(form)}

    def rows(self, actor: Actor, *, with_bin: bool = False) -> Any:
        """Those about people and territories within reach."""
        return nodes_within(ForecastSubmission.objects.select_related("user", "territory"), actor)

    def complete(self, page: Any) -> None:
        """Who said each."""
        names = show.names_of_people(one.submitted_by_id for one in page) if page else {}
        for one in page:
            one.actor_name = names.get(one.submitted_by_id, show.NOTHING)

    @display(description="Whose")
    def who(self, row: ForecastSubmission) -> Any:
        """The person or territory."""
        return show.cut(str(row.user or row.territory))

    @display(description="Amount")
    def called(self, row: ForecastSubmission) -> Any:
        """What was called."""
        return show.money(row.amount, row.currency)

    @display(description="Said by")
    def said_by(self, row: ForecastSubmission) -> str:
        """Whoever said it."""
        if not hasattr(row, "actor_name"):
            self.complete([row])
        return str(row.actor_name)  # type: ignore[attr-defined]

    @display(description="Said")
    def said(self, row: ForecastSubmission) -> Any:
        """When."""
        return show.moment(row.created_at)


@panel(order=30, needs=READ_FORECAST)
def forecast_against_closed(actor: Actor) -> Panel:
    """What is forecast for the current quarter against what is closed, by person."""
    found = kept("forecast", actor, lambda: _quarter(actor))
    people, currency, period = found["people"], settings.DEFAULT_CURRENCY, found["period"]
    closed = sum(one["closed"] for one in people)
    expected = sum(one["forecast"] for one in people)
    return Panel(
        title="Forecast and closed",
        note=f"{period}, by person",
        address=show.list_of(ForecastSnapshot, period=period),
        figures=[
            Figure(
                f"Closed in {period}",
                show.short_money(closed, currency),
                note=f"of {show.short_money(expected, currency)} forecast",
                address=show.list_of(ForecastSnapshot, period=period),
            )
        ],
        empty=None if people else Empty("No forecast was computed for this quarter yet."),
        chart=Chart(
            title=f"Forecast and closed in {period} by person, in {currency}",
            labels=[one["name"] for one in people[:SHOWN]],
            series=[
                Series(
                    "Forecast",
                    [one["forecast"] for one in people[:SHOWN]],
                    "var(--color-primary-300)",
                ),
                Series(
                    "Closed", [one["closed"] for one in people[:SHOWN]], "oklch(62.7% .17 149.214)"
                ),
            ],
            headers=("Person", f"Forecast {currency}", f"Closed {currency}"),
            rows=[
                (one["name"], show.plain_money(one["forecast"]), show.plain_money(one["closed"]))
                for one in people[:SHOWN]
            ],
            horizontal=True,
        ),
    )


def _quarter(actor: Actor) -> dict[str, Any]:
    quarter = period_containing(
        organisation_day(timezone.now()),
        PeriodKind.QUARTER,
        start_month=settings.FISCAL_YEAR_START_MONTH,
    )
    current = ForecastSnapshot.objects.filter(
        is_current=True, period=quarter.key, currency=settings.DEFAULT_CURRENCY
    ).exclude(user=None)
    rows = (
        nodes_within(current, actor)
        .filter(Q(weighted_amount__gt=0) | Q(closed_amount__gt=0))
        .order_by("-weighted_amount", "-id")
        .values_list("user__name", "weighted_amount", "closed_amount")[:500]
    )
    return {
        "period": quarter.key,
        "people": [
            {"name": name, "forecast": float(weighted), "closed": float(closed)}
            for name, weighted, closed in rows
        ],
    }
