"""The page that tells what changed in a forecast, and by which deals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.more_pages import MorePage
from apps.core.errors import InvalidInput
from apps.core.periods import Period, check_day
from apps.forecasts.admin.roll_up import line_of, node_of, period_choices, this_quarter
from apps.forecasts.rules import Line, Movement
from apps.forecasts.selectors.changes import (
    Change,
    Span,
    Sums,
    Waterfall,
    changed_deals,
    span_asked_for,
    waterfalls,
)
from apps.forecasts.selectors.nodes import period_named
from apps.forecasts.selectors.roll_up import nodes_asked_for, roll_up
from apps.opportunities.models import Opportunity
from apps.opportunities.permissions import READ_OPPORTUNITY
from apps.territories.fields import TERRITORY_NAMES
from apps.users.fields import USER_NAMES

ADDRESS = "admin:forecasts_forecastsnapshot_changes"
DEALS = 50
CHOSEN_FROM = 200
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Bar:
    """One step of a waterfall, as shares of its width; `tone` says which way it goes."""

    label: str
    sums: Sums
    start: float
    width: float
    tone: str
    address: str = ""

    @property
    def amount(self) -> Any:
        """What it adds to the forecast, or what stands."""
        sign = "+" if self.tone == "up" else ""
        return format_html("{}{}", sign, show.whole_money(self.sums.weighted_amount))

    @property
    def parts(self) -> list[Any]:
        """What it adds to what is open and closed."""
        return [show.whole_money(one) for one in (self.sums.open_amount, self.sums.closed_amount)]


def _show(actor: Actor, parameters: Mapping[str, str]) -> dict[str, Any]:
    line, period = line_of(parameters), period_named(parameters.get("period") or this_quarter())
    named = node_of(parameters, line)
    known = nodes_asked_for(actor, line, None, None)[:CHOSEN_FROM]
    node_id = next(iter(named.values()), None)
    if node_id is None and actor.reach.everything:
        node_id = _largest(actor, period, line)
    if node_id is None and known:
        node_id = known[0]
    asked = {
        "period": period.key,
        "by": line.value,
        "node": node_id or "",
        "from": (_day(parameters, "from") or timezone.localdate() - WEEK).isoformat(),
        "to": (_day(parameters, "to") or timezone.localdate()).isoformat(),
    }
    span = _span(actor, line, node_id, asked) if node_id else None
    found = waterfalls(span) if span else []
    narrowed = {name: parameters.get(name) or None for name in ("movement", "currency")}
    if narrowed["movement"] not in (None, *Movement.values):
        raise InvalidInput.field("movement", "There is no such reason.")
    return {
        "asked": asked,
        "periods": period_choices(period.key),
        "lines": Line.choices,
        "nodes": _choices(line, {*known, *filter(None, [node_id])}),
        "waterfalls": [(one.currency, _bars(one, asked)) for one in found],
        "movement": Movement(narrowed["movement"]).label if narrowed["movement"] else "",
        "deals": _deals(span, actor, narrowed) if span else [],
        "sees_deals": actor.may(READ_OPPORTUNITY),
        "all": reverse(ADDRESS, query=asked),
    }


def _largest(actor: Actor, period: Period, line: Line) -> UUID | None:
    """Where those begin who see everybody: with the largest forecast at the top."""
    branches = roll_up(actor=actor, period=period, line=line).branches
    return next((one.head for one in branches if one.head is not None), None)


def _choices(line: Line, ids: set[UUID]) -> list[tuple[str, str]]:
    names = TERRITORY_NAMES if line == Line.TERRITORY else USER_NAMES
    cards = names.cards(str(one) for one in ids).values()
    return sorted(((one["id"], one["name"]) for one in cards), key=lambda one: one[1])


def _day(parameters: Mapping[str, str], name: str) -> date | None:
    text = parameters.get(name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput.field(name, "Give a day, such as 2026-03-31.") from None
    check_day(day, name)
    return day


def _span(actor: Actor, line: Line, node_id: UUID, asked: Mapping[str, Any]) -> Span:
    """From the beginning of the first day to the end of the last, where the reader is."""
    first, last = date.fromisoformat(asked["from"]), date.fromisoformat(asked["to"])
    zone = timezone.get_current_timezone()
    end = datetime.combine(last + timedelta(days=1), time(), zone)
    return span_asked_for(
        actor=actor,
        period=period_named(asked["period"]),
        first=datetime.combine(first, time(), zone),
        last=min(end, timezone.now()),
        **{"territory_id" if line == Line.TERRITORY else "user_id": node_id},
    )


def _bars(found: Waterfall, asked: Mapping[str, Any]) -> list[Bar]:
    """What stood, each change where the one before ended, and what stands."""
    steps: list[tuple[str, Sums, Decimal, Decimal, str]] = []
    level = found.opening.weighted_amount
    for one, sums in found.changes.items():
        following = level + sums.weighted_amount
        address = reverse(
            ADDRESS, query={**asked, "movement": one.value, "currency": found.currency}
        )
        steps.append((one.label, sums, level, following, address))
        level = following
    ends = (found.opening.weighted_amount, found.closing.weighted_amount)
    full = max(*ends, *(max(before, after) for *_, before, after, _ in steps), Decimal(1))
    return [
        _bar("Stood at", found.opening, Decimal(0), ends[0], full, "stood"),
        *(
            _bar(label, sums, before, after, full, "up" if after >= before else "down", address)
            for label, sums, before, after, address in steps
        ),
        _bar("Stands at", found.closing, Decimal(0), ends[1], full, "stood"),
    ]


def _bar(
    label: str,
    sums: Sums,
    before: Decimal,
    after: Decimal,
    full: Decimal,
    tone: str,
    address: str = "",
) -> Bar:
    start, width = min(before, after) / full, abs(after - before) / full
    return Bar(
        label, sums, round(float(start) * 100, 2), round(float(width) * 100, 2), tone, address
    )


def _deals(span: Span, actor: Actor, narrowed: Mapping[str, str | None]) -> list[tuple[Any, ...]]:
    """The deals behind the bars, or behind one of them, those within reach."""
    if not actor.may(READ_OPPORTUNITY):
        return []
    found = changed_deals(
        span,
        actor=actor,
        limit=DEALS,
        movement=narrowed["movement"],
        currency=narrowed["currency"],
    )
    return [_deal(one) for one in found]


def _deal(one: Change) -> tuple[Any, ...]:
    return (
        show.link(Opportunity, one.opportunity_id, show.cut(one.name)),
        Movement(one.movement).label,
        show.money(one.amounts.weighted_amount, one.currency),
        show.money(one.amounts.open_amount, one.currency),
        show.money(one.amounts.closed_amount, one.currency),
    )


CHANGES = MorePage(
    name="changes",
    title="What changed",
    template="admin/forecasts/changes.html",
    show=_show,
)
