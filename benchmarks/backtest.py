"""Quarters of a CRM's history, forecast as they would have been and measured by the platform.

Each deal is put as it stood on a day, and the platform computes its forecasts and later measures
them; only what these are compared with is worked out here.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from uuid import UUID

import time_machine
from django.db import connection
from django.utils import timezone

from apps.accounts.services.accounts import open_account
from apps.core.actors import system_actor
from apps.core.identifiers import new_id
from apps.core.loading import insert_rows
from apps.core.periods import Period
from apps.forecasts.models import ForecastAccuracy, ForecastSnapshot
from apps.forecasts.rules import Line
from apps.forecasts.selectors.nodes import period_named
from apps.forecasts.selectors.run_rates import run_rates
from apps.forecasts.services.accuracy import measure_accuracy
from apps.forecasts.services.computation import compute_forecasts
from apps.opportunities.models import Opportunity, Stage
from apps.opportunities.services.deals import create_opportunity
from apps.users.models import Role, User

QUARTERS = ("Q2_2017", "Q3_2017", "Q4_2017")
HORIZONS = (60, 30, 7)
# Whoever is late by what deals usually take says: in two weeks.
LATE = timedelta(days=14)
# The file spells one product otherwise than its price list.
SPELT = {"GTXPro": "GTX Pro"}


@dataclass(frozen=True)
class Deal:
    """A deal of the file: worth its list price until it is won for something."""

    owner_id: UUID
    price: Decimal
    began_on: date
    closed_on: date | None
    won_for: Decimal | None

    def is_open_on(self, day: date) -> bool:
        """Whether it was being worked at the end of a day."""
        return self.began_on <= day and (self.closed_on is None or self.closed_on > day)

    def brought_until(self, day: date, period: Period) -> Decimal:
        """What it brought in a period until a day."""
        closed = self.closed_on
        is_in = closed is not None and closed in period and closed <= day
        return self.won_for if is_in and self.won_for is not None else Decimal(0)


@dataclass(frozen=True)
class Known:
    """What was known of deals in general at the end of a day."""

    win_rate: Decimal
    usual_days: int


def known_on(day: date, deals: Iterable[Deal]) -> Known:
    """How many of the deals that had closed were won, and how long they took."""
    closed = [one for one in deals if one.closed_on is not None and one.closed_on <= day]
    won = sum(one.won_for is not None for one in closed)
    days = median((one.closed_on - one.began_on).days for one in closed if one.closed_on)
    return Known(Decimal(won) / len(closed), round(days))


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def day_of(text: str) -> date | None:
    """A day as the file writes it."""
    return datetime.strptime(text, "%m/%d/%Y").replace(tzinfo=UTC).date() if text else None


def people_of(folder: Path) -> dict[str, User]:
    """The sales agents by name, below their managers."""
    found: dict[str, User] = {}

    def person(name: str, **facts: object) -> User:
        email = f"{name.replace(' ', '.').lower()}@bench.test"
        return User.objects.create(email=email, name=name, **facts)

    for row in rows_of(folder / "sales_teams.csv"):
        if row["manager"] not in found:
            found[row["manager"]] = person(row["manager"], role=Role.SALES_MANAGER)
        manager = found[row["manager"]]
        found[row["sales_agent"]] = person(row["sales_agent"], role=Role.SALES_REP, manager=manager)
    return found


def deals_of(folder: Path, people: dict[str, User]) -> list[Deal]:
    """The deals that anybody engaged in."""
    prices = {
        row["product"]: Decimal(row["sales_price"]) for row in rows_of(folder / "products.csv")
    }
    found = []
    for row in rows_of(folder / "sales_pipeline.csv"):
        began_on = day_of(row["engage_date"])
        if began_on is not None:
            is_won = row["deal_stage"] == "Won"
            found.append(
                Deal(
                    owner_id=people[row["sales_agent"]].pk,
                    price=prices[SPELT.get(row["product"], row["product"])],
                    began_on=began_on,
                    closed_on=day_of(row["close_date"]),
                    won_for=Decimal(row["close_value"]) if is_won else None,
                )
            )
    return found


class History:
    """The deals in the platform's own table, put as they stood on whatever day."""

    def __init__(self, deals: list[Deal]) -> None:
        self.deals = deals
        actor = system_actor(door="benchmark")
        owner_id = deals[0].owner_id
        account = open_account(name="Maven", owner_id=owner_id, actor=actor)
        model = create_opportunity(
            account_id=account.pk, owner_id=owner_id, name="Deal", actor=actor
        )
        self.stages = {
            one.kind: one
            for one in Stage.objects.filter(pipeline=model.pipeline_id).order_by("-position")
        }
        self.rows = [self._row(model, one) for one in deals]
        insert_rows(Opportunity, self.rows)
        Opportunity.objects.filter(pk=model.pk).update(forecast_category="omitted")

    @staticmethod
    def _row(model: Opportunity, deal: Deal) -> Opportunity:
        row = copy(model)
        row._state = copy(model._state)
        row.id, row.owner_id = new_id(), deal.owner_id
        return row

    def put_as_on(self, day: date) -> Known:
        """Every deal as it stood at the end of a day, weighed by what was known by then."""
        known = known_on(day, self.deals)
        for row, deal in zip(self.rows, self.deals, strict=True):
            self._put(row, deal, day, known)
        names = ("stage", "stage_key", "kind", "probability", "forecast_category", "amount")
        names += ("expected_close_date", "actual_close_date", "won_at", "lost_at", "loss_reason")
        Opportunity.objects.bulk_update(self.rows, names, batch_size=1_000)
        return known

    def _put(self, row: Opportunity, deal: Deal, day: date, known: Known) -> None:
        is_open = deal.is_open_on(day)
        is_won = not is_open and deal.began_on <= day and deal.won_for is not None
        kind = "open" if is_open or deal.began_on > day else "won" if is_won else "lost"
        stage = self.stages[kind]
        row.stage, row.stage_key, row.kind = stage, stage.key, kind
        row.amount = deal.won_for if is_won and deal.won_for is not None else deal.price
        usual = deal.began_on + timedelta(days=known.usual_days)
        row.expected_close_date = usual if usual > day else day + LATE
        row.actual_close_date = None if kind == "open" else deal.closed_on
        closed_at = None
        if kind != "open" and deal.closed_on:
            closed_at = datetime.combine(deal.closed_on, time(12), UTC)
        row.won_at, row.lost_at = (closed_at, None) if is_won else (None, closed_at)
        row.loss_reason = "Unknown" if kind == "lost" else ""
        row.probability = {"open": round(known.win_rate * 100), "won": 100, "lost": 0}[kind]
        row.forecast_category = {"open": "pipeline", "won": "closed", "lost": "omitted"}[kind]
        if deal.began_on > day:
            row.forecast_category = "omitted"


def run(folder: Path) -> None:
    """Forecast each quarter at each horizon, measure, and print the errors side by side."""
    folder = folder / "winloss" / "maven_crm"
    people = people_of(folder)
    deals = deals_of(folder, people)
    history = History(deals)
    inside: list[bool] = []
    at_run_rate: list[bool] = []
    for key in QUARTERS:
        period = period_named(key)
        spans = []
        for days in HORIZONS:
            day = period.ends_on - timedelta(days=days)
            forecast(history, period, day)
            spans += spans_at_run_rate(people, period, day)
        forecast(history, period, period.ends_on)
        inside += list(within_interval(period))
        came = came_to(period)
        at_run_rate += [low <= came[owner_id] <= high for owner_id, low, high in spans]
    measure_accuracy(now=timezone.now(), actor=system_actor(door="benchmark"))
    tell(deals, inside, at_run_rate)


# What is computed on a day, and when it was.
_DATED = (
    ("forecasts_forecastsnapshot", "taken_at"),
    ("forecasts_forecastfact", "began_at"),
    ("forecasts_forecastfact", "ended_at"),
)


def forecast(history: History, period: Period, day: date) -> None:
    """Let the platform forecast a quarter as on a day, and date what it computed."""
    history.put_as_on(day)
    began = timezone.now()
    moment = datetime.combine(day, time(6), UTC)
    with time_machine.travel(moment):
        actor = system_actor(door="benchmark")
        compute_forecasts(actor=actor)
        compute_forecasts(actor=actor, periods=[period])
    with connection.cursor() as cursor:
        for table, column in _DATED:
            cursor.execute(
                f"UPDATE {table} SET {column} = %s WHERE {column} >= %s", [moment, began]
            )


def spans_at_run_rate(
    people: dict[str, User], period: Period, day: date
) -> Iterator[tuple[UUID, Decimal, Decimal]]:
    """Of each person, between what the period is to come to at the run rate."""
    today = day + timedelta(days=1)
    for one in people.values():
        for rate in run_rates([one.pk], Line.REPORTING, period=period, today=today).values():
            yield one.pk, rate.low, rate.high


def came_to(period: Period) -> dict[UUID, Decimal]:
    """What a period came to for each person."""
    found = ForecastSnapshot.objects.filter(period=period.key, user__isnull=False, is_current=True)
    return {one.node_id: one.closed_amount for one in found}


def within_interval(period: Period) -> Iterator[bool]:
    """Of each person and horizon, whether what came lay in the interval that was told."""
    came = came_to(period)
    snapshots = ForecastSnapshot.objects.filter(period=period.key, user__isnull=False)
    for one in snapshots.filter(is_current=False, open_amount__gt=0):
        assert one.low_amount is not None
        assert one.high_amount is not None
        yield one.low_amount <= came[one.node_id] <= one.high_amount


def tell(deals: list[Deal], inside: list[bool], at_run_rate: list[bool]) -> None:
    """The mean errors of the platform and of two spreadsheets, by horizon and kind of node."""
    above = dict(User.objects.values_list("pk", "manager_id"))
    print(
        "| MAPE of | days before | forecast | at the run rate | pipeline × win rate "
        "| as last quarter |"
    )
    print("|---|--:|--:|--:|--:|--:|")
    for name, nodes in levels(above).items():
        for days in HORIZONS:
            found = [error for node in nodes for error in errors_of(node, days, deals, above)]
            cells = " | ".join(map(mean_in_words, zip(*found, strict=True)))
            print(f"| {name} ({len(found)} figures) | {days} | {cells} |")
    print()
    for name, held in (("deals", inside), ("run rate", at_run_rate)):
        share = 100 * sum(held) / len(held)
        print(f"Of {len(held)} intervals by the {name} {share:.0f} % held what came, not 80 %.")


def mean_in_words(errors: Sequence[Decimal | None]) -> str:
    """The mean of some errors, and of how many where some are missing."""
    known = [one for one in errors if one is not None]
    mean = f"{100 * sum(known) / len(known):.1f} %"
    return mean if len(known) == len(errors) else f"{mean} (of {len(known)})"


def errors_of(
    node: UUID | None, days: int, deals: list[Deal], above: dict[UUID, UUID | None]
) -> Iterator[tuple[Decimal | None, ...]]:
    """Of each quarter, how far off the platform and both spreadsheets were, of what came; nothing
    where nobody sold long enough for a run rate."""
    mine = [one for one in deals if node is None or node in (one.owner_id, above[one.owner_id])]
    heads = [one for one, over in above.items() if over is None] if node is None else [node]
    for period in map(period_named, QUARTERS):
        measured = ForecastAccuracy.objects.filter(
            node_id__in=heads, period=period.key, days_before=days
        )
        actual = sum((one.actual_amount for one in measured), Decimal(0))
        if actual:
            day = period.ends_on - timedelta(days=days)
            said = sum((one.weighted_amount or Decimal(0) for one in measured), Decimal(0))
            rates = [one.run_rate_amount for one in measured if one.run_rate_amount is not None]
            rated = sum(rates, Decimal(0)) if rates else None
            figures = (said, rated, *guesses(mine, period, day, known_on(day, deals)))
            yield tuple(None if one is None else abs(one - actual) / actual for one in figures)


def levels(above: dict[UUID, UUID | None]) -> dict[str, list[UUID | None]]:
    """All of it, each team, each person."""
    teams: list[UUID | None] = [one for one in set(above.values()) if one is not None]
    people: list[UUID | None] = [one for one, over in above.items() if over is not None]
    return {"all": [None], "a team": teams, "a person": people}


def guesses(deals: list[Deal], period: Period, day: date, known: Known) -> tuple[Decimal, Decimal]:
    """What spreadsheets would say: won so far and all that is open by the win rate; or what the
    quarter before brought."""
    won = sum((one.brought_until(day, period) for one in deals), Decimal(0))
    worth = sum((one.price for one in deals if one.is_open_on(day)), Decimal(0))
    last = period_named(f"Q{int(period.key[1]) - 1}_{period.key[3:]}")
    brought = sum((one.brought_until(last.ends_on, last) for one in deals), Decimal(0))
    return won + worth * known.win_rate, brought
