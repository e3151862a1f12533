"""The page that tells how good forecasts were, and what they were made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.lists import ChoiceOf
from apps.core.admin.more_pages import MorePage
from apps.core.admin.start_page import Chart, Series
from apps.core.errors import InvalidInput
from apps.forecasts.admin.reach import nodes_within
from apps.forecasts.admin.roll_up import line_of, node_of
from apps.forecasts.models import ForecastAccuracy
from apps.forecasts.permissions import READ_FORECAST
from apps.forecasts.rules import HORIZONS, Length, Line
from apps.forecasts.selectors.accuracy import Accuracy, Method, accuracy_of

COLOURS = {
    Method.SUBMITTED: "oklch(62.7% .17 149.214)",
    Method.STAGE: "var(--color-primary-300)",
    Method.MODEL: "var(--color-primary-600)",
    Method.RUN_RATE: "oklch(75% .15 70)",
}
TITLES = {
    Method.SUBMITTED: "Submitted",
    Method.STAGE: "By stage",
    Method.MODEL: "By the score model",
    Method.RUN_RATE: "At the run rate",
}


def _kind_of(parameters: Mapping[str, str]) -> Length:
    try:
        return Length(parameters.get("kind") or Length.QUARTER)
    except ValueError:
        raise InvalidInput.field("kind", "Periods are months, quarters or years.") from None


def _show(actor: Actor, parameters: Mapping[str, str]) -> dict[str, Any]:
    line, kind = line_of(parameters), _kind_of(parameters)
    found = accuracy_of(actor=actor, kind=kind, line=line, **node_of(parameters, line))
    currencies = sorted({one.currency for one in found}, key=lambda one: (one != _ours(), one))
    return {
        "charts": [_chart([one for one in found if one.currency == each]) for each in currencies],
        "kinds": Length.choices,
        "kind": kind,
        "lines": Line.choices,
        "line": line,
        "node": parameters.get("node", ""),
        "rows": show.list_of(ForecastAccuracy, period_kind=kind.value),
    }


def _ours() -> str:
    return settings.DEFAULT_CURRENCY


def _chart(found: Sequence[Accuracy]) -> Chart:
    known = {(one.days_before, one.method): one for one in found}
    horizons = [days for days in HORIZONS if any((days, one) in known for one in Method)]
    methods = [one for one in Method if any((days, one) in known for days in horizons)]
    return Chart(
        title=f"How far forecasts in {found[0].currency} were off, in percent",
        labels=[_before(days) for days in horizons],
        series=[
            Series(
                TITLES[one],
                [float(_mape(known.get((days, one))) or 0) for days in horizons],
                COLOURS[one],
            )
            for one in methods
        ],
        headers=("", *(TITLES[one] for one in methods)),
        rows=[
            (_before(days), *(_told(known.get((days, one))) for one in methods))
            for days in horizons
        ],
    )


def _before(days: int) -> str:
    return f"{days} days before" if days else "On the last day"


def _mape(one: Accuracy | None) -> Any:
    return None if one is None else one.mape


def _told(one: Accuracy | None) -> str:
    if one is None or one.mape is None or one.bias is None:
        return show.NOTHING
    return f"{one.mape:.1f} % off, {one.bias:+.1f} % in all ({one.periods})"


ACCURACY = MorePage(
    name="accuracy",
    title="Forecast accuracy",
    template="admin/forecasts/accuracy.html",
    show=_show,
)


class PeriodKindFilter(ChoiceOf):
    """Narrows to months, quarters or years."""

    title = "kind of period"
    parameter_name = "period_kind"
    choices_offered = tuple(Length.choices)


class DaysBeforeFilter(ChoiceOf):
    """Narrows to forecasts made so many days before the end."""

    title = "days before"
    parameter_name = "days_before"
    choices_offered = tuple((str(one), _before(one)) for one in HORIZONS)


@admin.register(ForecastAccuracy)
class AccuracyAdmin(ActorAdmin):
    """What was forecast for periods that ended, beside what they came to."""

    read = READ_FORECAST
    shows_happenings = False
    ordering = ("-ends_on", "-id")
    list_display = (
        "who",
        "period",
        "days_before",
        "submitted",
        "by_stage",
        "by_model",
        "at_run_rate",
        "came",
    )
    list_select_related = ("user", "territory")
    list_filter = (
        PeriodKindFilter,
        DaysBeforeFilter,
        ("user", AutocompleteSelectFilter),
        ("territory", AutocompleteSelectFilter),
    )
    sortable_by = ()
    fields = (
        ("who", "period"),
        ("ends_on", "days_before"),
        ("submitted", "by_stage", "by_model", "at_run_rate"),
        ("came", "measured"),
    )
    readonly_fields = (
        "who",
        "submitted",
        "by_stage",
        "by_model",
        "at_run_rate",
        "came",
        "measured",
    )
    more_pages = (ACCURACY,)

    def rows(self, actor: Actor, *, with_bin: bool = False) -> Any:
        """Those of people and territories within reach."""
        return nodes_within(ForecastAccuracy.objects.select_related("user", "territory"), actor)

    @display(description="Whose")
    def who(self, row: ForecastAccuracy) -> Any:
        """The person or territory, with everybody below."""
        return show.cut(str(row.user or row.territory))

    @display(description="Submitted")
    def submitted(self, row: ForecastAccuracy) -> Any:
        """What was said."""
        return show.money(row.submitted_amount, row.currency)

    @display(description="By stage")
    def by_stage(self, row: ForecastAccuracy) -> Any:
        """What was computed, by the stages of deals."""
        return show.money(row.weighted_amount, row.currency)

    @display(description="By the score model")
    def by_model(self, row: ForecastAccuracy) -> Any:
        """What was computed, by what a learned model said of deals."""
        return show.money(row.model_weighted_amount, row.currency)

    @display(description="At the run rate")
    def at_run_rate(self, row: ForecastAccuracy) -> Any:
        """What it would have come to at the speed of the time."""
        return show.money(row.run_rate_amount, row.currency)

    @display(description="Came")
    def came(self, row: ForecastAccuracy) -> Any:
        """What the period came to."""
        return show.money(row.actual_amount, row.currency)

    @display(description="Measured")
    def measured(self, row: ForecastAccuracy) -> Any:
        """When."""
        return show.moment(row.measured_at)
