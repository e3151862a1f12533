"""Pages of what finance was told."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.lists import ChoiceOf
from apps.core.admin.operations import Operation
from apps.core.admin.service_forms import ServiceForm
from apps.core.api.imports import table_download
from apps.forecasts.admin.roll_up import times
from apps.forecasts.models import FinanceReport
from apps.forecasts.permissions import ISSUE_REPORT, READ_REPORT
from apps.forecasts.selectors.finance import (
    COLUMNS,
    MonthlyFigures,
    PeriodForecast,
    QuarterlyFigures,
    TerritoryFigures,
    TerritoryForecast,
    figures_read,
    report_read_by,
    rows_of,
)
from apps.forecasts.services.finance import issue_report

_ONLY_QUARTERLY = ("Pipeline", "Territories")
_FORMATS = (("csv", "CSV"), ("xlsx", "Excel"))


class ReportForm(ServiceForm):
    """What to tell finance of."""

    period = forms.CharField(
        max_length=10,
        help_text="A month or quarter that has begun, such as M03_2026 or Q1_2026.",
        widget=UnfoldAdminTextInputWidget(),
    )


def _issue_again(*, report_id: UUID, actor: Actor) -> FinanceReport:
    """The same month or quarter, as it stands now."""
    return issue_report(period=report_read_by(actor, report_id).period, actor=actor)


class KindFilter(ChoiceOf):
    """Narrows to reports of months or of quarters."""

    title = "kind"
    parameter_name = "kind"
    choices_offered = tuple(FinanceReport.Kind.choices)


def _table(headers: Iterable[str], rows: Iterable[Iterable[Any]]) -> Any:
    return format_html('<div class="table-scroll report">{}</div>', show.table(headers, rows))


@admin.register(FinanceReport)
class FinanceReportAdmin(ActorAdmin):
    """What finance was told, month by month and quarter by quarter."""

    read = READ_REPORT
    write = ISSUE_REPORT
    subject = "report_id"
    adds = staticmethod(issue_report)
    form = ReportForm
    ordering = ("-issued_at", "-id")
    list_display = ("what", "sold", "numbered", "occasion", "issued")
    list_filter = (KindFilter,)
    sortable_by = ()
    add_fieldsets = ((None, {"fields": ("period",)}),)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("what", "numbered"),
                    ("occasion", "issuer"),
                    ("issued", "sold"),
                    "download",
                )
            },
        ),
        ("Sold", {"fields": ("by_territory",)}),
        ("Forecast", {"fields": ("forecasts",)}),
        ("Pipeline", {"fields": ("stages",)}),
        ("Territories", {"fields": ("territories",)}),
    )
    readonly_fields = (
        "what",
        "numbered",
        "occasion",
        "issuer",
        "issued",
        "sold",
        "download",
        "by_territory",
        "forecasts",
        "stages",
        "territories",
    )
    operations = (
        Operation(
            name="again",
            label="Issue again",
            permission=ISSUE_REPORT,
            one=_issue_again,
            asks_first=True,
            icon="campaign",
            sentence="Finance is told how this period stands now; this report stays as it is.",
            leads_to=lambda report: show.page_of(FinanceReport, report.pk),
        ),
    )

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        """A report as a file, besides its page."""
        address = "<uuid:report_id>/export.<file_format:file_format>"
        return (
            *super().get_custom_urls(),
            (address, "forecasts_financereport_export", self.file_view),
        )

    def file_view(
        self, request: HttpRequest, report_id: UUID, file_format: str, **_: Any
    ) -> HttpResponseBase:
        """A report as a file with a figure a row, in the format that the address asks for."""
        row = self.get_object(request, str(report_id))
        if row is None or not self.has_view_permission(request):
            raise PermissionDenied
        return table_download(COLUMNS, rows_of(row), name=row.file_name, file_format=file_format)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The groups of figures that a report of its kind has."""
        groups = super().get_fieldsets(request, obj)
        if obj is None or obj.kind == FinanceReport.Kind.QUARTERLY:
            return groups
        return [(title, options) for title, options in groups if title not in _ONLY_QUARTERLY]

    @staticmethod
    def _figures(row: Any) -> MonthlyFigures | QuarterlyFigures:
        if not hasattr(row, "read_figures"):
            row.read_figures = figures_read(row)
        found: MonthlyFigures | QuarterlyFigures = row.read_figures
        return found

    @display(description="Report")
    def what(self, row: FinanceReport) -> Any:
        """What it is about."""
        return show.two_lines(row.period, row.get_kind_display())

    @display(description="No.")
    def numbered(self, row: FinanceReport) -> Any:
        """Which one of its period it is."""
        return row.number

    @display(description="Occasion")
    def occasion(self, row: FinanceReport) -> Any:
        """Whether it was due, or somebody asked for it."""
        return show.badge("Due", "info") if row.is_scheduled else show.badge("Asked for")

    @display(description="Issued by")
    def issuer(self, row: FinanceReport) -> Any:
        """Who asked for it."""
        return show.names_of_people([row.issued_by_id]).get(row.issued_by_id, show.NOTHING)

    @display(description="Issued")
    def issued(self, row: FinanceReport) -> Any:
        """When."""
        return show.moment(row.issued_at)

    @display(description="Sold")
    def sold(self, row: FinanceReport) -> Any:
        """What the period brought in."""
        return show.money(self._figures(row).revenue.amount, row.currency)

    @display(description="As a file")
    def download(self, row: FinanceReport) -> Any:
        """The ways to its figures, one a row."""
        page = "admin:forecasts_financereport_export"
        return format_html_join(
            ", ",
            '<a class="text-link" href="{}">{}</a>',
            ((reverse(page, args=[row.pk, one]), name) for one, name in _FORMATS),
        )

    @display(description="By territory")
    def by_territory(self, row: FinanceReport) -> Any:
        """What was sold in each territory itself, and in all."""
        found = self._figures(row).revenue
        places = [
            (one.name, _count(one.deals), show.whole_money(one.amount))
            for one in found.by_territory
        ]
        everything = ("All", _count(found.deals), show.whole_money(found.amount))
        return _table(("Territory", "Deals", row.currency), [*places, everything])

    @display(description="As it stood")
    def forecasts(self, row: FinanceReport) -> Any:
        """What was forecast for the periods that were open."""
        found = self._figures(row)
        periods: tuple[PeriodForecast, ...] = (
            found.forecasts if isinstance(found, MonthlyFigures) else found.pipelines
        )
        return _table(
            (
                "Period",
                "",
                "Closed",
                "Open",
                "Forecast",
                "Deals from",
                "to",
                "Submitted",
                "Quota",
                "Gap",
                "Coverage",
            ),
            [_forecast(period, one) for period in periods for one in period.currencies],
        )

    @display(description="Open deals by stage")
    def stages(self, row: FinanceReport) -> Any:
        """Where the open deals of each quarter stood."""
        found = self._figures(row)
        assert isinstance(found, QuarterlyFigures)
        return _table(
            ("Stage", "", "Deals", "Amount", "By probability"),
            (
                (
                    f"{quarter.period}, {show.words(one.stage).lower()}",
                    one.currency,
                    one.count,
                    show.whole_money(one.total_amount),
                    show.whole_money(one.weighted_amount),
                )
                for quarter in found.pipelines
                for one in quarter.stages
            ),
        )

    @display(description="With those below each")
    def territories(self, row: FinanceReport) -> Any:
        """How each territory did, and what it was forecast."""
        found = self._figures(row)
        assert isinstance(found, QuarterlyFigures)
        coming = found.forecast_period
        return _table(
            (
                "Territory",
                "Deals",
                "Sold",
                "Quota",
                "Attained",
                "",
                f"Closed in {coming}",
                "Open",
                "Forecast",
            ),
            (line for place in found.territories for line in _territory(place)),
        )


def _count(deals: Decimal) -> str:
    """How many deals, of which shares are parts."""
    return f"{deals.normalize():f}"


def _forecast(period: PeriodForecast, one: Any) -> tuple[Any, ...]:
    amounts = (
        one.closed_amount,
        one.open_amount,
        one.weighted_amount,
        one.low_amount,
        one.high_amount,
        one.submitted_amount,
        one.quota_amount,
        one.gap_amount,
    )
    return period.period, one.currency, *map(show.whole_money, amounts), times(one.coverage)


def _territory(place: TerritoryFigures) -> Iterable[tuple[Any, ...]]:
    """A line for each currency: what was sold stands in the first."""
    attained = place.attainment_percentage
    name = format_html('<span style="padding-left: {}px">{}</span>', 16 * place.depth, place.name)
    sold: tuple[Any, ...] = (
        name,
        _count(place.deals),
        show.whole_money(place.revenue_amount),
        show.whole_money(place.quota_amount),
        show.NOTHING if attained is None else f"{attained} %",
    )
    lines: list[TerritoryForecast | None] = [*place.forecast] or [None]
    for one in lines:
        yield *sold, *_currency(one)
        sold = ("", "", "", "", "")


def _currency(one: TerritoryForecast | None) -> tuple[Any, ...]:
    if one is None:
        return "", show.NOTHING, show.NOTHING, show.NOTHING
    amounts = (one.closed_amount, one.open_amount, one.weighted_amount)
    return one.currency, *map(show.whole_money, amounts)
