"""How deals count, kept in step with the deals themselves."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from apps.core.database import take_turn
from apps.core.periods import organisation_day
from apps.forecasts.rules import LOOKED_BACK

# A deal counts where it stands now: an open one on the day it is expected, a won one on the day
# it was won. Lost and omitted deals and those in the bin count nowhere.
_DEALS = """
SELECT o.id AS opportunity_id, o.owner_id, o.territory_id, o.stage_key AS stage,
       o.forecast_category AS category, o.currency, o.amount, o.probability,
       CASE o.kind WHEN 'won' THEN o.actual_close_date ELSE o.expected_close_date END AS counts_on
FROM opportunities_opportunity o
WHERE o.deleted_at IS NULL AND o.forecast_category <> 'omitted'
"""
_THESE = "SELECT unnest(%(ids)s::uuid[])"
_OF_DAYS = f"""
SELECT d.opportunity_id FROM ({_DEALS}) AS d
WHERE d.counts_on BETWEEN %(first)s AND %(last)s
UNION
SELECT f.opportunity_id FROM forecasts_forecastfact f
WHERE f.ended_at IS NULL AND f.counts_on BETWEEN %(first)s AND %(last)s
"""
_CANDIDATES = "WITH candidate(id) AS ({candidates})"
_COMPARED = ("owner_id", "territory_id", "stage", "category", "currency", "amount", "probability")
# A deal that counts nowhere any more leaves as what it became. Deals are joined by their key, not
# with the candidates anew: linear, however many there are and whatever the statistics say.
_END = """
UPDATE forecasts_forecastfact f SET ended_at = greatest(%(moment)s, f.began_at),
    left_as = CASE WHEN d.opportunity_id IS NULL THEN (
        SELECT CASE WHEN o.kind = 'lost' AND o.deleted_at IS NULL THEN 'lost' ELSE 'removed' END
        FROM opportunities_opportunity o WHERE o.id = f.opportunity_id) ELSE '' END
FROM candidate c
LEFT JOIN ({deals}) AS d ON d.opportunity_id = c.id AND d.counts_on IS NOT NULL
WHERE f.opportunity_id = c.id AND f.ended_at IS NULL AND ({of_fact}) IS DISTINCT FROM ({of_deal})
""".format(
    deals=_DEALS,
    of_fact=", ".join(f"f.{name}" for name in (*_COMPARED, "counts_on")),
    of_deal=", ".join(f"d.{name}" for name in (*_COMPARED, "counts_on")),
)
# PostgreSQL rounds halves up; from an even cent that is one too many.
WEIGHTED = """
(round({amount} * {probability})
 - CASE WHEN mod({amount} * {probability}, 2) = 0.5 THEN 1 ELSE 0 END) / 100
"""
_BEGIN = """
INSERT INTO forecasts_forecastfact AS f
    (id, opportunity_id, owner_id, territory_id, stage, category, currency, amount, probability,
     weighted_amount, counts_on, began_at, left_as)
SELECT uuidv7(), d.opportunity_id, d.owner_id, d.territory_id, d.stage, d.category, d.currency,
       d.amount, d.probability, {weighted}, d.counts_on, %(moment)s, ''
FROM candidate c JOIN ({deals}) AS d ON d.opportunity_id = c.id
WHERE d.counts_on IS NOT NULL
  AND NOT EXISTS (SELECT FROM forecasts_forecastfact k
                  WHERE k.opportunity_id = d.opportunity_id AND k.ended_at IS NULL)
""".format(deals=_DEALS, weighted=WEIGHTED.format(amount="d.amount", probability="d.probability"))
_WHERE_IT_COUNTS = "RETURNING f.owner_id, f.territory_id, f.counts_on"


@dataclass(frozen=True)
class Place:
    """Where a deal counts: for whom, in which territory, on which day."""

    owner_id: UUID
    territory_id: UUID | None
    counts_on: date


def begin_computing() -> datetime:
    """Let nobody else compute until the transaction ends; returns the moment that holds for it.

    A snapshot is the sum of the facts of its moment only if both are written one at a time.
    """
    take_turn("forecasts")
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
        return moment


def note_deals(opportunity_ids: Collection[UUID], moment: datetime) -> set[Place]:
    """Keep the facts of some deals in step; returns where they counted before and count now.

    Deals that count as they did are left alone and not named.
    """
    parameters: dict[str, Any] = {"ids": list(opportunity_ids), "moment": moment}
    candidates = _CANDIDATES.format(candidates=_THESE)
    with connection.cursor() as cursor:
        cursor.execute(f"{candidates} {_END} {_WHERE_IT_COUNTS}", parameters)
        places = {Place(*row) for row in cursor.fetchall()}
        cursor.execute(f"{candidates} {_BEGIN} {_WHERE_IT_COUNTS}", parameters)
        return places | {Place(*row) for row in cursor.fetchall()}


def note_deals_of_days(first: date, last: date, moment: datetime) -> None:
    """Keep the facts of all deals that count, or counted, on some days in step.

    A deal that went to another day begins to count there, though it is none of these.
    """
    parameters: dict[str, Any] = {"first": first, "last": last, "moment": moment}
    candidates = _CANDIDATES.format(candidates=_OF_DAYS)
    with connection.cursor() as cursor:
        cursor.execute(f"{candidates} {_END} RETURNING f.opportunity_id", parameters)
        parameters["ids"] = [row[0] for row in cursor.fetchall()]
        candidates = _CANDIDATES.format(candidates=f"{_OF_DAYS} UNION {_THESE}")
        cursor.execute(f"{candidates} {_BEGIN}", parameters)


def note_past(moment: datetime) -> None:
    """Keep the facts of deals that were closed in the past year in step: run rates look back on
    them, whatever periods are forecast."""
    today = organisation_day(moment)
    note_deals_of_days(today - LOOKED_BACK, today, moment)
