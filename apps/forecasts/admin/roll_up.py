"""The page on which forecasts are rolled up, opened branch by branch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.more_pages import MorePage
from apps.core.admin.start_page import Figure
from apps.core.errors import InvalidInput
from apps.forecasts.models import ForecastSnapshot
from apps.forecasts.rules import ForecastType, Line, Outlook, RunRate
from apps.forecasts.selectors.nodes import period_named, periods_open_at
from apps.forecasts.selectors.roll_up import Figures, RollUp, Sheet, roll_up
from apps.opportunities.rules import Category
from apps.territories.fields import TERRITORY_NAMES
from apps.users.fields import USER_NAMES

ADDRESS = "admin:forecasts_forecastsnapshot_roll_up"
OTHERS = "Others"
COLUMNS = (
    "Quota",
    "Closed",
    "Commit",
    "Best case",
    "Forecast",
    "Submitted",
    "Adjusted",
    "Coverage",
    "Gap",
)


@dataclass(frozen=True)
class Row:
    """A person or territory with what it comes to, a line for each currency.

    `place` is the way there from the top of the table, by which it is folded away again; `opens`
    is the address of what lies below.
    """

    name: str
    note: str
    address: str
    opens: str
    place: str
    depth: int
    lines: list[tuple[str, list[Any]]]


def node_of(parameters: Mapping[str, str], line: Line) -> dict[str, UUID]:
    """The person or territory that parameters name. Raises InvalidInput."""
    text = parameters.get("node")
    if not text:
        return {}
    try:
        return {"territory_id" if line == Line.TERRITORY else "user_id": UUID(text)}
    except ValueError:
        raise InvalidInput.field("node", "There is no such person or territory.") from None


def line_of(parameters: Mapping[str, str]) -> Line:
    """Along what parameters ask to go. Raises InvalidInput."""
    text = parameters.get("by") or Line.REPORTING
    if text not in Line.values:
        raise InvalidInput.field("by", "Forecasts go along the reporting line or territories.")
    return Line(text)


def period_choices(chosen: str) -> list[str]:
    """The periods that are forecast now, and the one that is looked at."""
    keys = [one.key for one in periods_open_at(timezone.now())]
    return keys if chosen in keys else [chosen, *keys]


def this_quarter() -> str:
    """The period that a page begins with."""
    return periods_open_at(timezone.now())[1].key


def _show(actor: Actor, parameters: Mapping[str, str]) -> dict[str, Any]:
    line = line_of(parameters)
    period = period_named(parameters.get("period") or this_quarter())
    found = roll_up(actor=actor, period=period, line=line, **node_of(parameters, line))
    names = TERRITORY_NAMES if line == Line.TERRITORY else USER_NAMES
    ids = [found.node_id, *(one.head for one in found.branches)]
    cards = names.cards(str(one) for one in ids if one)
    table = _Table(found, {key: card["name"] for key, card in cards.items()})
    # What is opened comes below the row that opens it.
    above = parameters.get("place", "")
    total = found.total[settings.DEFAULT_CURRENCY]
    return {
        "columns": COLUMNS,
        "head": table.total(),
        "rows": [*table.own(above), *table.branches(above)],
        "figures": _figures(total, found),
        "periods": period_choices(period.key),
        "period": period.key,
        "lines": Line.choices,
        "line": line,
        "top": ""
        if not parameters.get("node")
        else reverse(ADDRESS, query={"period": period.key, "by": line}),
    }


@dataclass(frozen=True)
class _Table:
    """The rows of a roll-up."""

    found: RollUp
    names: Mapping[str, str]

    def total(self) -> Row:
        """All of it."""
        name = self.names.get(str(self.found.node_id), "All")
        return Row(name, "with everybody below", "", "", "", 0, _lines(self.found.total))

    def own(self, above: str) -> list[Row]:
        """What the node itself works, where there is anything below it."""
        node_id = self.found.node_id
        if node_id is None or not self.found.branches:
            return []
        depth = above.count("/") + 1
        name = f"{self.names.get(str(node_id), OTHERS)} alone"
        who = "territory" if self.found.line == Line.TERRITORY else "user"
        address = show.list_of(
            ForecastSnapshot, period=self.found.period.key, **{f"{who}__id__exact": node_id}
        )
        place = f"{above}/own"
        return [Row(name, "", address, "", place, depth, _lines(self.found.own))]

    def branches(self, above: str) -> list[Row]:
        """The direct branches."""
        return [
            self._branch(one.head, above, one.sheet, has_branches=one.has_branches)
            for one in self.found.branches
        ]

    def _branch(self, head: UUID | None, above: str, sheet: Sheet, *, has_branches: bool) -> Row:
        depth = above.count("/") + 1
        if head is None:
            return Row(OTHERS, "out of reach", "", "", f"{above}/others", depth, _lines(sheet))
        place = f"{above}/{head}"
        asked = {"period": self.found.period.key, "by": self.found.line.value, "node": head}
        return Row(
            name=self.names.get(str(head), OTHERS),
            note="",
            address=reverse(ADDRESS, query=asked),
            opens=reverse(ADDRESS, query={**asked, "place": place}) if has_branches else "",
            place=place,
            depth=depth,
            lines=_lines(sheet),
        )


def _lines(sheet: Sheet) -> list[tuple[str, list[Any]]]:
    found = sheet.in_order() or [Figures(settings.DEFAULT_CURRENCY)]
    return [(one.currency, _cells(one)) for one in found]


def _cells(found: Figures) -> list[Any]:
    return [
        show.whole_money(found.quota),
        show.whole_money(found.closed_amount),
        show.whole_money(found.amount_of(Category.COMMIT)),
        show.whole_money(found.amount_of(Category.BEST_CASE)),
        show.whole_money(found.weighted_amount),
        show.whole_money(found.submitted.get(ForecastType.COMMIT)),
        show.whole_money(found.adjusted.get(ForecastType.COMMIT)),
        times(found.coverage),
        show.whole_money(found.gap),
    ]


def times(coverage: Decimal | None) -> str:
    """How many times over something is covered."""
    return show.NOTHING if coverage is None else f"{coverage:.1f} ×"


def _figures(total: Figures, found: RollUp) -> list[Figure]:
    currency = total.currency
    shown = [
        Figure(
            f"Closed in {found.period.key}",
            show.short_money(float(total.closed_amount), currency),
            note="" if total.quota is None else _of_quota(total),
        ),
        Figure(
            "Forecast",
            show.short_money(float(total.weighted_amount), currency),
            note=_between("its deals alone:", found.outlooks.get(currency), currency),
        ),
        Figure("Open", show.short_money(float(total.open_amount), currency)),
    ]
    if rate := found.run_rates.get(currency):
        shown.append(
            Figure(
                "At the run rate",
                show.short_money(float(rate.amount), currency),
                note=_between("likely", rate, currency),
            )
        )
    if total.gap is not None:
        shown.append(
            Figure(
                "Gap to quota" if total.gap > 0 else "Beyond quota",
                show.short_money(float(abs(total.gap)), currency),
                note="" if total.coverage is None else f"covered {times(total.coverage)} by open",
            )
        )
    return shown


def _between(what: str, spread: Outlook | RunRate | None, currency: str) -> str:
    if spread is None:
        return "closed, and open by probability"
    low, high = (show.short_money(float(one), currency) for one in (spread.low, spread.high))
    return f"{what} {low} to {high}"


def _of_quota(total: Figures) -> str:
    quota = show.short_money(float(total.quota or 0), total.currency)
    return f"of a quota of {quota}"


ROLL_UP = MorePage(
    name="roll_up",
    title="Forecast roll-up",
    template="admin/forecasts/roll_up.html",
    part="admin/forecasts/roll_up_rows.html",
    show=_show,
)
