"""Pages of computed forecasts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.html import format_html
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.inlines import ReadOnlyInline
from apps.core.admin.operations import Operation, OperationForm, choice, text
from apps.core.money import LARGEST, ZERO
from apps.core.periods import organisation_today
from apps.forecasts.admin.changes import CHANGES
from apps.forecasts.admin.reach import PeriodFilter, nodes_within
from apps.forecasts.admin.roll_up import ROLL_UP
from apps.forecasts.models import (
    ForecastAdjustment,
    ForecastLine,
    ForecastSnapshot,
    ForecastSubmission,
    Judgement,
)
from apps.forecasts.permissions import ADJUST_FORECAST, READ_FORECAST
from apps.forecasts.rules import ForecastType, Line
from apps.forecasts.selectors.judgements import in_force
from apps.forecasts.selectors.nodes import period_named
from apps.forecasts.selectors.run_rates import run_rates
from apps.forecasts.services.adjustments import adjust_forecast


def _amount(said: Judgement | None) -> Any:
    return show.NOTHING if said is None else show.money(said.amount, said.currency)


class AdjustmentForm(OperationForm):
    """What the forecast is taken for instead."""

    forecast_type = choice("Of", ForecastType.choices)
    amount = forms.DecimalField(
        label="Amount",
        min_value=0,
        max_value=LARGEST,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    reason = text(
        "Reason", required=True, long=True, help_text="Whoever sees the forecast reads it."
    )


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
    subject = "forecast_id"
    shows_happenings = False
    ordering = ("-weighted_amount", "-id")
    list_display = (
        "who",
        "period",
        "forecast",
        "still_open",
        "closed",
        "submitted",
        "adjusted",
        "computed",
    )
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
        ("by_model", "likely"),
        "at_run_rate",
        "judged",
        ("kind", "computed"),
    )
    readonly_fields = (
        "who",
        "forecast",
        "still_open",
        "closed",
        "by_model",
        "likely",
        "at_run_rate",
        "judged",
        "computed",
    )
    inlines = (LinesInline,)
    more_pages = (ROLL_UP, CHANGES)
    operations = (
        Operation(
            name="adjust",
            label="Adjust",
            permission=ADJUST_FORECAST,
            one=adjust_forecast,
            form=AdjustmentForm,
            offered=lambda forecast: forecast.ends_on >= organisation_today(),
            icon="tune",
            sentence="Stands beside what was computed and submitted, and alters neither.",
        ),
    )

    def rows(self, actor: Actor, *, with_bin: bool = False) -> Any:
        """The forecasts in effect, within reach."""
        current = ForecastSnapshot.objects.filter(is_current=True)
        return nodes_within(current.select_related("user", "territory"), actor)

    def complete(self, page: Any) -> None:
        """What was said of each."""
        of_page = {
            "node_ids": [one.node_id for one in page],
            "periods": [one.period for one in page],
        }
        submitted = in_force(ForecastSubmission, **of_page)
        adjusted = in_force(ForecastAdjustment, **of_page)
        for one in page:
            keys = [(one.node_id, one.period, kind) for kind in ForecastType.values]
            one.said = [(key[2], submitted.get(key), adjusted.get(key)) for key in keys]

    def _said(self, row: Any) -> list[tuple[str, Any, Any]]:
        if not hasattr(row, "said"):
            self.complete([row])
        found: list[tuple[str, Any, Any]] = row.said
        return found

    @display(description="Submitted")
    def submitted(self, row: ForecastSnapshot) -> Any:
        """What was committed to."""
        return _amount(self._said(row)[0][1])

    @display(description="Adjusted")
    def adjusted(self, row: ForecastSnapshot) -> Any:
        """What the commitment is taken for."""
        return _amount(self._said(row)[0][2])

    @display(description="Said")
    def judged(self, row: ForecastSnapshot) -> Any:
        """What was submitted and adjusted, beside the deals."""
        said = self._said(row)
        amounts = dict(row.lines.filter(currency=row.currency).values_list("category", "amount"))
        names = show.names_of_people(one.adjusted_by_id for *_, one in said if one is not None)
        said_table = show.table(
            ("", "Deals", "Submitted", "Adjusted", "Why"),
            (
                (
                    show.words(kind),
                    show.money(amounts.get(kind, ZERO), row.currency),
                    _amount(submitted),
                    _amount(adjusted),
                    adjusted
                    and show.two_lines(adjusted.reason, names[adjusted.adjusted_by_id])
                    or show.NOTHING,
                )
                for kind, submitted, adjusted in said
            ),
        )
        return format_html('<div class="said table-scroll">{}</div>', said_table)

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

    @display(description="By the score model")
    def by_model(self, row: ForecastSnapshot) -> Any:
        """The forecast by what a learned model says of each deal."""
        return show.money(row.model_weighted_amount, row.currency)

    @display(description="Its deals alone")
    def likely(self, row: ForecastSnapshot) -> Any:
        """What it comes to in eight of ten cases."""
        if row.low_amount is None or row.median_amount is None or row.high_amount is None:
            return show.NOTHING
        ends = f"{show.plain_money(row.low_amount)} to {show.plain_money(row.high_amount)}"
        return f"{ends}, as likely below as above {show.plain_money(row.median_amount)}"

    @display(description="At the run rate")
    def at_run_rate(self, row: ForecastSnapshot) -> Any:
        """What it comes to if the days left bring what as many brought before."""
        line = Line.REPORTING if row.user_id else Line.TERRITORY
        period = period_named(row.period)
        found = run_rates([row.node_id], line, period=period, today=organisation_today())
        rate = found.get(row.currency)
        if rate is None:
            return show.NOTHING
        amount, low, high = map(show.plain_money, (rate.amount, rate.low, rate.high))
        return f"{amount}, likely {low} to {high}"

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
