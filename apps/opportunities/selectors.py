"""Answers about opportunities: the compiled pipelines, and what is in the pipeline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from cachetools import TTLCache, cached
from cachetools.keys import hashkey
from django.conf import settings
from django.db import connection

from apps.core.actors import Actor, Reach
from apps.core.errors import InvalidInput
from apps.core.money import ZERO, to_cents
from apps.core.periods import Period
from apps.core.permissions import require
from apps.opportunities.models import Stage
from apps.opportunities.permissions import READ_OPPORTUNITY
from apps.opportunities.rules import (
    CanonicalStage,
    Process,
    StageRule,
    canonical_stage,
    share_in_percent,
)

# A change of a pipeline is noticed by every process within this time.
NOTICED_WITHIN_SECONDS = 5

_STAGES = """
SELECT p.is_active, p.is_default, p.id, p.key, s.id, s.key, s.position, s.kind, s.probability,
       s.forecast_category, s.expected_days, s.required_fields, s.forward, s.name
FROM opportunities_pipeline p JOIN opportunities_stage s ON s.pipeline_id = p.id
ORDER BY p.id, s.position
"""


@dataclass(frozen=True)
class _Compiled:
    """Every pipeline as the rules see it."""

    processes: dict[UUID, Process]
    active: dict[str, Process]
    default: Process | None


_compilation: TTLCache[Hashable, _Compiled] = TTLCache(1, NOTICED_WITHIN_SECONDS)


def processes(pipeline_ids: Collection[UUID]) -> dict[UUID, Process]:
    """Some pipelines as the rules see them."""
    known = _compiled().processes
    if not known.keys() >= set(pipeline_ids):
        forget_pipelines()
        known = _compiled().processes
    return {one: known[one] for one in pipeline_ids}


def process_named(key: str | None) -> Process:
    """The pipeline new deals go through: the one asked for, or the default. Raises InvalidInput."""
    found = _compiled().active.get(key) if key else _compiled().default
    if found is None:
        forget_pipelines()
        found = _compiled().active.get(key) if key else _compiled().default
    if found is None:
        raise InvalidInput.field("pipeline", "There is no such pipeline.")
    return found


def forget_pipelines() -> None:
    """Compile the pipelines anew in this process."""
    _compilation.clear()


@cached(_compilation, key=lambda: hashkey("pipelines"))
def _compiled() -> _Compiled:
    with connection.cursor() as cursor:
        cursor.execute(_STAGES)
        rows = cursor.fetchall()
    stages: dict[tuple[Any, ...], list[StageRule]] = defaultdict(list)
    for is_active, is_default, pipeline_id, key, *facts in rows:
        stages[is_active, is_default, pipeline_id, key].append(StageRule(*facts))
    compiled = [
        (is_active, is_default, Process(pipeline_id, key, tuple(found)))
        for (is_active, is_default, pipeline_id, key), found in stages.items()
    ]
    return _Compiled(
        processes={one.pipeline_id: one for _, _, one in compiled},
        active={one.key: one for is_active, _, one in compiled if is_active},
        default=next((one for _, is_default, one in compiled if is_default), None),
    )


_known_stages: TTLCache[str, bool] = TTLCache(1_000, 60)


def unknown_stages(keys: Sequence[str]) -> list[str]:
    """Those of the keys that name no stage of any pipeline."""
    doubtful = [key for key in keys if key not in _known_stages]
    if doubtful:
        for key in Stage.objects.filter(key__in=doubtful).values_list("key", flat=True):
            _known_stages[key] = True
    return [key for key in doubtful if key not in _known_stages]


_likened: TTLCache[str, CanonicalStage] = TTLCache(1_000, 60)


def canonical_stage_of(key: str) -> CanonicalStage:
    """The stage of the default pipeline that a stage of any pipeline is like."""
    return _likened.get(key) or canonical_stages()[key]


def canonical_stages() -> dict[str, CanonicalStage]:
    """Every stage of any pipeline by its key, with the canonical stage it is like."""
    forget_pipelines()
    found = {
        stage.key: canonical_stage(stage)
        for process in _compiled().processes.values()
        for stage in process.stages
    }
    _likened.update(found)
    return found


@dataclass(frozen=True)
class Amounts:
    """How many deals, what they are worth, and what is to be expected of them."""

    count: int = 0
    total_amount: Decimal = ZERO
    weighted_amount: Decimal = ZERO

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            self.count + other.count,
            self.total_amount + other.total_amount,
            self.weighted_amount + other.weighted_amount,
        )


@dataclass(frozen=True)
class StageAmounts:
    """What is in one stage. `probability` is weighted by amount, in percent."""

    stage: str
    probability: int
    amounts: Amounts


@dataclass(frozen=True)
class PipelineSummary:
    """Open deals that are expected to close in a period, by stage, in one currency.

    Attributes:
        overdue: those of them whose day has passed.
        other_currencies: deals in other currencies, which are never mixed in.
    """

    period: str
    owner_id: UUID | None
    currency: str
    summary: Amounts
    by_stage: tuple[StageAmounts, ...]
    overdue: Amounts
    other_currencies: dict[str, Amounts]


def pipeline_summary(
    *, actor: Actor, period: Period, today: date, owner_id: UUID | None = None
) -> PipelineSummary:
    """What is in the pipeline for a period, within the actor's reach. Raises NotAllowed.

    Args:
        actor: whose reach counts.
        period: in which the deals are expected to close.
        today: before which an expected day has passed.
        owner_id: only this person's deals.
    """
    require(actor, READ_OPPORTUNITY)
    reach_sql, parameters = _within(actor.reach, owner_id)
    with connection.cursor() as cursor:
        cursor.execute(
            _SUMMARY.format(reach=reach_sql),
            {"today": today, "first": period.starts_on, "last": period.ends_on, **parameters},
        )
        rows = [_SummaryRow(*row) for row in cursor.fetchall()]
    currency = _leading_currency(rows)
    leading = [row for row in rows if row.currency == currency]
    others: dict[str, Amounts] = defaultdict(Amounts)
    for row in rows:
        if row.currency != currency:
            others[row.currency] += row.amounts
    return PipelineSummary(
        period=period.key,
        owner_id=owner_id,
        currency=currency,
        summary=sum((row.amounts for row in leading), Amounts()),
        by_stage=tuple(
            StageAmounts(row.stage, row.average_probability, row.amounts) for row in leading
        ),
        overdue=sum((row.overdue for row in leading), Amounts()),
        other_currencies=dict(others),
    )


# Each branch is answered from one covering index; a deal is in exactly one of them.
_BRANCH = """
    SELECT stage_key, currency, amount, probability, expected_close_date
    FROM opportunities_opportunity
    WHERE deleted_at IS NULL AND kind = 'open'
      AND expected_close_date BETWEEN %(first)s AND %(last)s AND {condition}
"""
# Few probabilities occur, so deals are added up by probability first and weighted afterwards.
_SUMMARY = """
SELECT d.stage_key, d.currency, sum(d.deals)::bigint, sum(d.total),
       sum(d.total * d.probability),
       (sum(d.deals * d.probability) / sum(d.deals))::float8,
       coalesce(sum(d.deals) FILTER (WHERE d.is_overdue), 0)::bigint,
       coalesce(sum(d.total) FILTER (WHERE d.is_overdue), 0),
       coalesce(sum(d.total * d.probability) FILTER (WHERE d.is_overdue), 0)
FROM (SELECT stage_key, currency, probability, expected_close_date < %(today)s AS is_overdue,
             count(*) AS deals, sum(amount) AS total
      FROM ({reach}) AS deal
      GROUP BY stage_key, currency, probability, is_overdue) AS d
LEFT JOIN (SELECT key, min(position) AS position FROM opportunities_stage GROUP BY key) AS s
       ON s.key = d.stage_key
GROUP BY d.stage_key, d.currency, s.position
ORDER BY s.position, d.stage_key, d.currency
"""


@dataclass(frozen=True)
class _SummaryRow:
    stage: str
    currency: str
    count: int
    total: Decimal
    hundredfold: Decimal
    plain_average: float
    overdue_count: int
    overdue_total: Decimal
    overdue_hundredfold: Decimal

    @property
    def amounts(self) -> Amounts:
        return Amounts(self.count, self.total, to_cents(self.hundredfold / 100))

    @property
    def overdue(self) -> Amounts:
        return Amounts(
            self.overdue_count, self.overdue_total, to_cents(self.overdue_hundredfold / 100)
        )

    @property
    def average_probability(self) -> int:
        return share_in_percent(
            self.hundredfold / 100, self.total, otherwise=round(self.plain_average)
        )


def _within(reach: Reach, owner_id: UUID | None) -> tuple[str, dict[str, Any]]:
    """The deals within reach, as branches that don't overlap, and their parameters."""
    parameters = {
        "owner": owner_id,
        "people": list(reach.user_ids),
        "territories": list(reach.territory_ids),
    }
    if reach.everything:
        return _branches("owner_id = %(owner)s" if owner_id else "TRUE"), parameters
    if owner_id in reach.user_ids:
        return _branches("owner_id = %(owner)s"), parameters
    if owner_id is not None:
        return (
            _branches("owner_id = %(owner)s AND territory_id = ANY(%(territories)s::uuid[])"),
            parameters,
        )
    return (
        _branches(
            "owner_id = ANY(%(people)s::uuid[])",
            "territory_id = ANY(%(territories)s::uuid[]) "
            "AND NOT owner_id = ANY(%(people)s::uuid[])",
        ),
        parameters,
    )


def _branches(*conditions: str) -> str:
    return " UNION ALL ".join(_BRANCH.format(condition=one) for one in conditions)


def _leading_currency(rows: Sequence[_SummaryRow]) -> str:
    """The organisation's currency; where no deal is in it, the one of most deals."""
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        counts[row.currency] += row.count
    if not counts or settings.DEFAULT_CURRENCY in counts:
        return str(settings.DEFAULT_CURRENCY)
    return max(sorted(counts), key=lambda one: counts[one])


Users = Callable[[Collection[UUID]], Collection[UUID]]

_users: list[Users] = []


def uses_deals(find: Users) -> Users:
    """Let an app from further up say which of some deals something of its own goes by."""
    _users.append(find)
    return find


def deals_in_use(opportunity_ids: Collection[UUID]) -> set[UUID]:
    """Those of the deals that something of another app goes by."""
    return {one for find in _users for one in find(opportunity_ids)} if opportunity_ids else set()
