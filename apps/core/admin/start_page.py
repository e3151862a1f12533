"""The start page: panels that each app contributes, within the actor's reach.

    @panel(order=20, needs=READ_LEAD)
    def leads_by_status(actor: Actor) -> Panel: ...

Panels ask few and capped questions and keep the answers for a minute per reach.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from django.db import models
from django.http import HttpRequest

from apps.core.actors import Actor
from apps.core.admin.display import page_of
from apps.core.admin.happenings import Happening, told
from apps.core.admin.visitors import actor_of
from apps.core.cache import shared_cache
from apps.core.models import BusinessEvent

KEPT_SECONDS = 60
LATEST = 400
_TICKS = {
    "color": "#6b7280",
    "precision": 0,
    "maxRotation": 0,
    "format": {
        "notation": "compact",
        "minimumFractionDigits": 0,
        "maximumFractionDigits": 1,
    },
}
TOLD = 8


@dataclass(frozen=True)
class Figure:
    """One number that matters, and where it leads."""

    label: str
    value: str
    note: str = ""
    address: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Series:
    """Numbers of one chart under one name. Colours are CSS variables."""

    name: str
    numbers: Sequence[float]
    colour: str


@dataclass(frozen=True)
class Chart:
    """A bar chart with the same numbers as a table: what a screen reader reads."""

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    horizontal: bool = False

    @property
    def data(self) -> str:
        """What Chart.js draws."""
        return orjson.dumps(
            {
                "labels": list(self.labels),
                "datasets": [
                    {
                        "label": one.name,
                        "data": list(one.numbers),
                        "backgroundColor": one.colour,
                        "maxBarThickness": 28,
                        "borderRadius": 4,
                        "displayYAxis": True,
                    }
                    for one in self.series
                ],
            }
        ).decode()

    @property
    def options(self) -> str:
        """How Chart.js draws it."""
        return orjson.dumps(
            {
                "animation": False,
                "responsive": True,
                "maintainAspectRatio": False,
                "indexAxis": "y" if self.horizontal else "x",
                "plugins": {
                    "legend": {
                        "display": len(self.series) > 1,
                        "position": "bottom",
                        "labels": {"boxWidth": 10, "boxHeight": 10, "color": "#6b7280"},
                    }
                },
                "scales": {
                    "x": {
                        "grid": {"display": self.horizontal},
                        "ticks": _TICKS,
                        "beginAtZero": True,
                    },
                    "y": {
                        "grid": {"display": not self.horizontal},
                        "ticks": _TICKS,
                        "beginAtZero": True,
                    },
                },
            }
        ).decode()


@dataclass(frozen=True)
class Empty:
    """What to say and do where there is nothing to show yet."""

    sentence: str
    label: str = ""
    address: str = ""


@dataclass(frozen=True)
class Panel:
    """A part of the start page: figures for the top row, and a chart, rows or nothing yet."""

    title: str = ""
    note: str = ""
    address: str = ""
    figures: Sequence[Figure] = ()
    chart: Chart | None = None
    template: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    empty: Empty | None = None


Contribution = Callable[[Actor], Panel | None]


@dataclass(frozen=True)
class _Contributed:
    order: int
    needs: str
    make: Contribution


@dataclass(frozen=True)
class _Subject:
    """A kind of row that events are about."""

    model: type[models.Model]
    needs: str
    rows: Callable[[Actor], Any]


_panels: list[_Contributed] = []
_subjects: list[_Subject] = []


def panel(*, order: int, needs: str = "") -> Callable[[Contribution], Contribution]:
    """Contribute a panel, shown to actors with a permission, in the given order.

    One that needs none shows what is everybody's own.
    """

    def register(make: Contribution) -> Contribution:
        _panels.append(_Contributed(order, needs, make))
        _panels.sort(key=lambda one: one.order)
        return make

    return register


def tells_of(model: type[models.Model], *, needs: str, rows: Callable[[Actor], Any]) -> None:
    """Let the start page tell what happened to rows of a model, as far as an actor sees them."""
    _subjects.append(_Subject(model, needs, rows))


def kept(name: str, actor: Actor, make: Callable[[], Any]) -> Any:
    """An answer as JSON that everybody with the same reach shares for a minute."""
    key = f"start:{name}:{actor.reach.fingerprint}"
    return shared_cache.get_or_make(key, KEPT_SECONDS, make)


def add_panels(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Put the panels of the signed-in actor on the start page."""
    actor = actor_of(request)
    panels = [
        made
        for one in _panels
        if (not one.needs or actor.may(one.needs)) and (made := one.make(actor)) is not None
    ]
    context["figures"] = [figure for one in panels for figure in one.figures]
    context["panels"] = [one for one in panels if one.title]
    context["latest"] = latest_happenings(actor)
    return context


@dataclass(frozen=True)
class Told:
    """An event with the row it is about."""

    happening: Happening
    subject: str
    address: str


def latest_happenings(actor: Actor) -> list[Told]:
    """What happened last to rows that the actor sees, newest first."""
    events = list(BusinessEvent.objects.order_by("-sequence")[:LATEST])
    ids = list({one.aggregate_id for one in events})
    seen: dict[UUID, tuple[str, str]] = {}
    for subject in _subjects:
        if ids and actor.may(subject.needs):
            for row in subject.rows(actor).filter(pk__any=ids)[:LATEST]:
                seen[row.pk] = (str(row), page_of(subject.model, row.pk))
    shown = [one for one in events if one.aggregate_id in seen][:TOLD]
    return [Told(one, *seen[one.aggregate_id]) for one in told(shown)]
