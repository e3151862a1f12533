"""Forecasts rolled up along the reporting line or the tree of territories, branch by branch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from apps.core.actors import Actor, Reach
from apps.core.errors import InvalidInput, NotFound
from apps.core.money import ZERO
from apps.core.periods import Period, organisation_today
from apps.core.permissions import require
from apps.forecasts.permissions import READ_FORECAST
from apps.forecasts.rules import (
    FEW_DEALS,
    Chance,
    ForecastType,
    Line,
    Moments,
    Outlook,
    RunRate,
    Said,
    Voice,
    coverage,
    in_effect,
    outlook_of_few,
    outlook_of_many,
)
from apps.forecasts.selectors.run_rates import run_rates
from apps.opportunities.rules import Category
from apps.quotas.permissions import READ_QUOTA
from apps.quotas.selectors.attainment import Credited, credited_to


@dataclass(frozen=True)
class Deals:
    """What the deals of a category and currency come to.

    By the score model only where all of them are weighed by it; `expected_amount` takes each as it
    can.
    """

    category: str
    count: int
    amount: Decimal
    weighted_amount: Decimal
    model_weighted_amount: Decimal | None
    expected_amount: Decimal
    variance: float
    third_moment: float


@dataclass
class Figures:
    """What a node or branch comes to in one currency.

    `amounts` are those of the deals by category, `weighted_amount` is the forecast, by the score
    model `model_weighted_amount`; `moments` tell what is expected of open deals. What was
    `submitted` and `adjusted` goes by type. Quota and what is `attained` of it are only known in
    the organisation's currency.
    """

    currency: str
    count: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)
    weighted_amount: Decimal = ZERO
    by_model: list[Decimal | None] = field(default_factory=list)
    open_count: int = 0
    moments: Moments = Moments()
    submitted: dict[str, Decimal] = field(default_factory=dict)
    adjusted: dict[str, Decimal] = field(default_factory=dict)
    quota: Decimal | None = None
    attained: Decimal | None = None

    def amount_of(self, category: str) -> Decimal:
        """What the deals of a category are worth."""
        return self.amounts.get(category, ZERO)

    @property
    def open_amount(self) -> Decimal:
        """What is still being worked."""
        return sum((self.amount_of(one) for one in ForecastType.values), ZERO)

    @property
    def closed_amount(self) -> Decimal:
        """What is won."""
        return self.amount_of(Category.CLOSED)

    @property
    def gap(self) -> Decimal | None:
        """What the quota still lacks; below zero it is exceeded."""
        if self.quota is None or self.attained is None:
            return None
        return self.quota - self.attained

    @property
    def coverage(self) -> Decimal | None:
        """How many times over what is open covers the gap; None where nothing lacks."""
        if self.gap is None or self.gap <= 0:
            return None
        return coverage(self.open_amount, self.gap)

    @property
    def model_weighted_amount(self) -> Decimal | None:
        """The forecast by the score model; None as long as any part is not weighed by it."""
        parts = [one for one in self.by_model if one is not None]
        return sum(parts, ZERO) if parts and len(parts) == len(self.by_model) else None

    def add_deals(self, deals: Deals) -> None:
        """Count deals of a category in."""
        self.count += deals.count
        self.amounts[deals.category] = self.amount_of(deals.category) + deals.amount
        self.weighted_amount += deals.weighted_amount
        self.by_model.append(deals.model_weighted_amount)
        if deals.category != Category.CLOSED:
            self.open_count += deals.count
            mean = float(deals.expected_amount)
            self.moments += Moments(mean, deals.variance, deals.third_moment)

    def add_said(self, one: Said) -> None:
        """Count in what somebody said."""
        if one.voice == Voice.QUOTA:
            self.quota = (self.quota or ZERO) + one.amount
            return
        of_type = self.submitted if one.voice == Voice.SUBMITTED else self.adjusted
        of_type[one.forecast_type] = of_type.get(one.forecast_type, ZERO) + one.amount


class Sheet(dict[str, Figures]):
    """The figures of a node or branch, by currency."""

    def __missing__(self, currency: str) -> Figures:
        self[currency] = Figures(currency)
        return self[currency]

    def in_order(self) -> list[Figures]:
        """The organisation's currency first."""
        return sorted(self.values(), key=lambda one: (not _is_ours(one.currency), one.currency))


def _is_ours(currency: str) -> bool:
    return currency == settings.DEFAULT_CURRENCY


@dataclass(frozen=True)
class Branch:
    """A direct branch of a node: who heads it, whether anybody is below, what it comes to.

    The branches that are out of reach are one, headed by nobody.
    """

    head: UUID | None
    has_branches: bool
    sheet: Sheet


@dataclass(frozen=True)
class RollUp:
    """What a node comes to with everybody below it: its own and its branches make the total, of
    which `outlooks` tell by currency what it may come to, and `run_rates` at the speed so far.

    What is said of a node, and its quota, speak for everybody below: they stand in the total, and
    in its own where there are no branches. Without a node the branches are those at the top of what
    the actor reaches.
    """

    period: Period
    line: Line
    node_id: UUID | None
    total: Sheet
    own: Sheet
    branches: list[Branch]
    outlooks: dict[str, Outlook]
    run_rates: dict[str, RunRate]


# Of each line: the table, the column of the one above.
_TREES = {
    Line.REPORTING: ("users_user", "manager_id"),
    Line.TERRITORY: ("territories_territory", "parent_territory_id"),
}
_TOPS = """
SELECT n.id FROM {table} n
WHERE %(everything)s AND n.{above} IS NULL
   OR n.id = ANY(%(reach)s::uuid[]) AND NOT coalesce(n.{above} = ANY(%(reach)s::uuid[]), FALSE)
"""
_TREE = """
WITH RECURSIVE tree(id, above_id, head_id) AS (
    SELECT n.id, NULL::uuid, n.id FROM {table} n
    WHERE CASE WHEN %(node)s::uuid IS NULL THEN n.id = ANY(%(tops)s::uuid[])
               ELSE n.{above} = %(node)s END
    UNION
    SELECT n.id, tree.id, tree.head_id FROM tree JOIN {table} n ON n.{above} = tree.id
)
SELECT id, above_id, head_id FROM tree
"""
_DEALS = """
SELECT b.head, l.currency, l.category, sum(l.count)::int, sum(l.amount), sum(l.weighted_amount),
       CASE WHEN bool_and(l.model_weighted_amount IS NOT NULL)
            THEN sum(l.model_weighted_amount) END,
       sum(coalesce(l.model_weighted_amount, l.weighted_amount)), sum(l.variance),
       sum(l.third_moment)
FROM unnest(%(nodes)s::uuid[], %(heads)s::uuid[]) AS b(node, head)
JOIN forecasts_forecastsnapshot s ON s.node_id = b.node AND s.period = %(period)s AND s.is_current
JOIN forecasts_forecastline l ON l.snapshot_id = s.id
GROUP BY b.head, l.currency, l.category
"""
_SAID = """
SELECT s.node_id, 'submitted', s.forecast_type, s.currency, s.amount
FROM forecasts_forecastsubmission s
WHERE s.node_id = ANY(%(nodes)s::uuid[]) AND s.period = %(period)s
  AND NOT EXISTS (SELECT FROM forecasts_forecastsubmission n WHERE n.supersedes_id = s.id)
UNION ALL
SELECT a.node_id, 'adjusted', a.forecast_type, a.currency, a.amount
FROM forecasts_forecastadjustment a
WHERE a.node_id = ANY(%(nodes)s::uuid[]) AND a.period = %(period)s
  AND NOT EXISTS (SELECT FROM forecasts_forecastadjustment n WHERE n.supersedes_id = a.id)
UNION ALL
SELECT q.holder_id, 'quota', '', q.currency, q.amount FROM quotas_quota q
WHERE %(sees_quotas)s AND q.holder_id = ANY(%(nodes)s::uuid[]) AND q.period = %(period)s
  AND q.quota_type = 'revenue'
"""
_FORECAST = """
SELECT DISTINCT b.head FROM unnest(%(nodes)s::uuid[], %(heads)s::uuid[]) AS b(node, head)
JOIN forecasts_forecastsnapshot s ON s.node_id = b.node AND s.period = %(period)s AND s.is_current
"""


def roll_up(
    *,
    actor: Actor,
    period: Period,
    line: Line | None = None,
    user_id: UUID | None = None,
    territory_id: UUID | None = None,
) -> RollUp:
    """What a person with everybody who reports to them, or a territory with those below it, comes
    to in a period, and each direct branch of theirs, by today's lines.

    Without either the top of what the actor reaches along the line, by default the reporting line.
    Whoever sees a node sees its sums; branches that are out of reach are not named.

    Raises NotAllowed, InvalidInput, NotFound.
    """
    require(actor, READ_FORECAST)
    nodes = nodes_asked_for(actor, line, user_id, territory_id)
    tree = _tree_below(nodes, _line_asked_for(line, user_id, territory_id), actor.reach)
    return _rolled_up(tree, period, sees_quotas=actor.may(READ_QUOTA))


def nodes_asked_for(
    actor: Actor, line: Line | None, user_id: UUID | None, territory_id: UUID | None
) -> list[UUID]:
    """The person or territory that is asked for, or else those at the top of what is reached.

    Raises InvalidInput, NotFound.
    """
    line = _line_asked_for(line, user_id, territory_id)
    if node_id := user_id or territory_id:
        if not actor.reach.includes(owner_id=user_id, territory_id=territory_id):
            raise NotFound
        return [node_id]
    table, above = _TREES[line]
    with connection.cursor() as cursor:
        cursor.execute(
            _TOPS.format(table=table, above=above),
            {"everything": actor.reach.everything, "reach": list(_reached(actor.reach, line))},
        )
        return [row[0] for row in cursor.fetchall()]


def _reached(reach: Reach, line: Line) -> tuple[UUID, ...]:
    return reach.territory_ids if line == Line.TERRITORY else reach.user_ids


def _line_asked_for(line: Line | None, user_id: UUID | None, territory_id: UUID | None) -> Line:
    if user_id and territory_id:
        raise InvalidInput.field("user_id", "Give a user_id or a territory_id, or neither.")
    meant = Line.TERRITORY if territory_id else Line.REPORTING if user_id else None
    if line and meant and line != meant:
        raise InvalidInput.field("by", "This is not what the forecast is rolled up by.")
    return line or meant or Line.REPORTING


@dataclass(frozen=True)
class _Tree:
    """Who is below a node: of each the one above, and the head of the branch within reach."""

    line: Line
    node_id: UUID | None
    above: dict[UUID, UUID | None]
    heads: dict[UUID, UUID | None]

    @property
    def all_heads(self) -> dict[UUID, UUID | None]:
        """The same with the node itself, which heads what is its own."""
        return {**self.heads, self.node_id: self.node_id} if self.node_id else self.heads

    @property
    def all_above(self) -> dict[UUID, UUID | None]:
        """The same with the node on top."""
        if self.node_id is None:
            return self.above
        below = {one: above_id or self.node_id for one, above_id in self.above.items()}
        return {**below, self.node_id: None}


def _tree_below(nodes: list[UUID], line: Line, reach: Reach) -> _Tree:
    """The tree of a node, or of several without one above them."""
    table, above = _TREES[line]
    node_id = nodes[0] if len(nodes) == 1 else None
    with connection.cursor() as cursor:
        cursor.execute(_TREE.format(table=table, above=above), {"node": node_id, "tops": nodes})
        rows = cursor.fetchall()
    known = {head for *_, head in rows} if reach.everything else set(_reached(reach, line))
    return _Tree(
        line,
        node_id,
        {one: above_id for one, above_id, _ in rows},
        {one: head if head in known else None for one, _, head in rows},
    )


def _rolled_up(tree: _Tree, period: Period, *, sees_quotas: bool) -> RollUp:
    heads = tree.all_heads
    parameters: dict[str, Any] = {
        "nodes": list(heads),
        "heads": list(heads.values()),
        "period": period.key,
        "sees_quotas": sees_quotas,
    }
    sheets: dict[UUID | None, Sheet] = defaultdict(Sheet)
    total = Sheet()
    with connection.cursor() as cursor:
        cursor.execute(_DEALS, parameters)
        for head, currency, *deals in cursor.fetchall():
            sheets[head][currency].add_deals(Deals(*deals))
            total[currency].add_deals(Deals(*deals))
        cursor.execute(_SAID, parameters)
        said = [Said(*row) for row in cursor.fetchall()]
        cursor.execute(_FORECAST, parameters)
        told = {row[0] for row in cursor.fetchall()} | {heads[one.node_id] for one in said}
    # Whoever has others below speaks for them too, and not for what is their own.
    is_alone = told <= {tree.node_id}
    apart = (one for one in said if is_alone or one.node_id != tree.node_id)
    for one in in_effect(apart, tree.all_above):
        sheets[heads[one.node_id]][one.currency].add_said(one)
    for one in in_effect(said, tree.all_above):
        total[one.currency].add_said(one)
    if sees_quotas:
        credited = credited_to(heads, first=period.starts_on, last=period.ends_on)
        _add_credits(credited, {*told, tree.node_id}, sheets, total, tree.node_id)
    own = sheets.pop(tree.node_id, Sheet()) if tree.node_id else Sheet()
    return RollUp(
        period=period,
        line=tree.line,
        node_id=tree.node_id,
        total=total,
        own=own,
        branches=_branches(tree, sheets, told),
        outlooks=_outlooks(total, list(heads), period, tree.line),
        run_rates=run_rates(list(heads), tree.line, period=period, today=organisation_today()),
    )


def deals_of(nodes: Iterable[UUID], period: Period) -> list[tuple[UUID, str, Deals]]:
    """What the deals of some people or territories come to for themselves, by currency."""
    ids = list(nodes)
    with connection.cursor() as cursor:
        cursor.execute(_DEALS, {"nodes": ids, "heads": ids, "period": period.key})
        return [(node, currency, Deals(*deals)) for node, currency, *deals in cursor.fetchall()]


_CHANCES = """
SELECT f.currency, f.amount, coalesce(d.probability, f.probability / 100.0)::float8
FROM forecasts_forecastfact f
LEFT JOIN intelligence_dealprobability d ON d.opportunity_id = f.opportunity_id
WHERE f.{node} = ANY(%s::uuid[]) AND f.ended_at IS NULL AND f.counts_on BETWEEN %s AND %s
  AND f.category <> 'closed' AND f.currency = ANY(%s)
"""


def _outlooks(total: Sheet, nodes: list[UUID], period: Period, line: Line) -> dict[str, Outlook]:
    """What a total may come to: deal by deal where they are few, else by their moments."""
    few = [one.currency for one in total.values() if 0 < one.open_count <= FEW_DEALS]
    deals: dict[str, list[Chance]] = defaultdict(list)
    if few:
        node = "territory_id" if line == Line.TERRITORY else "owner_id"
        with connection.cursor() as cursor:
            cursor.execute(
                _CHANCES.format(node=node), [nodes, period.starts_on, period.ends_on, few]
            )
            for currency, *chance in cursor.fetchall():
                deals[currency].append(Chance(*chance))
    return {
        one.currency: outlook_of_many(one.closed_amount, one.open_amount, one.moments)
        if one.open_count > FEW_DEALS
        else outlook_of_few(one.closed_amount, deals[one.currency])
        for one in total.values()
        if one.count
    }


def _add_credits(
    credited: Mapping[UUID | None, Credited],
    heads: Iterable[UUID | None],
    sheets: Mapping[UUID | None, Sheet],
    total: Sheet,
    node_id: UUID | None,
) -> None:
    """Count in what is attained: what was sold, and of help only what the head of each gave."""
    ours = settings.DEFAULT_CURRENCY
    for head in heads:
        found = credited.get(head, Credited())
        sheets[head][ours].attained = found.sold + found.helped
    helped = credited[node_id].helped if node_id in credited else ZERO
    total[ours].attained = sum((one.sold for one in credited.values()), helped)


def _branches(
    tree: _Tree, sheets: Mapping[UUID | None, Sheet], told: set[UUID | None]
) -> list[Branch]:
    """The branches that were forecast or spoken of, the largest forecast first."""
    with_branches = {tree.heads[one] for one, above_id in tree.above.items() if above_id}
    heads = [one for one in dict.fromkeys(tree.heads.values()) if one in told]
    found = [Branch(one, one in with_branches and one is not None, sheets[one]) for one in heads]
    return sorted(found, key=lambda one: _size(one.sheet), reverse=True)


def _size(sheet: Sheet) -> tuple[Decimal, Decimal]:
    """By what branches are compared: what the organisation's currency says."""
    found = sheet.get(settings.DEFAULT_CURRENCY, Figures(settings.DEFAULT_CURRENCY))
    return found.weighted_amount, found.open_amount
