"""Handing out work within territories: to the owner, in turn, or to the least loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from django.db import connection

from apps.core.periods import organisation_today
from apps.territories.models import Territory
from apps.territories.rules import Candidate, least_loaded, next_in_turn
from apps.territories.selectors import Staff, staff_of

Loads = Callable[[Sequence[UUID]], Mapping[UUID, int]]


def hand_out(territory_ids: Sequence[UUID], *, loads: Loads) -> list[UUID | None]:
    """Choose a person for each piece of work, in the order given, inside the caller's transaction.

    Fair in bulk and under concurrency: a territory that shares work out is locked while it does,
    and every choice counts for the next one. Where nobody can take more, the owner gets it.

    Args:
        territory_ids: the territory of each piece of work.
        loads: answers how many open leads each of some people has; asked only where it matters.

    Returns:
        A user id for each piece of work; None where the territory has nobody.
    """
    staffs = staff_of(territory_ids, today=organisation_today())
    sharing = [one for one in staffs.values() if one.candidates]
    if not sharing:
        return [staffs[one].owner_id if one in staffs else None for one in territory_ids]
    turns = _take_turns(
        {one.territory_id: count for one, count in _counted(sharing, territory_ids)}
    )
    matter = _whose_load_matters(sharing)
    counts = dict(loads(matter)) if matter else {}
    return [_choose(staffs[one], turns, counts) if one in staffs else None for one in territory_ids]


def _counted(sharing: Sequence[Staff], territory_ids: Sequence[UUID]) -> list[tuple[Staff, int]]:
    amounts = Counter(territory_ids)
    return [(one, amounts[one.territory_id]) for one in sharing]


_TAKE_TURNS = """
INSERT INTO territories_turn AS turn (territory_id, taken)
SELECT * FROM unnest(%s::uuid[], %s::bigint[]) ORDER BY 1
ON CONFLICT (territory_id) DO UPDATE SET taken = turn.taken + excluded.taken
RETURNING territory_id, taken
"""


def _take_turns(amounts: Mapping[UUID, int]) -> dict[UUID, int]:
    """Reserve turns in each territory; the row lock makes others wait for theirs."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_TURNS, [list(amounts), list(amounts.values())])
        return {one: taken - amounts[one] for one, taken in cursor.fetchall()}


def _whose_load_matters(sharing: Sequence[Staff]) -> list[UUID]:
    return sorted(
        {
            candidate.user_id
            for one in sharing
            for candidate in one.candidates
            if one.assignment == Territory.Assignment.LEAST_LOADED or candidate.capacity is not None
        }
    )


def _choose(staff: Staff, turns: dict[UUID, int], counts: dict[UUID, int]) -> UUID | None:
    if not staff.candidates:
        return staff.owner_id
    candidates = [replace(one, open_leads=counts.get(one.user_id, 0)) for one in staff.candidates]
    chosen: Candidate | None
    if staff.assignment == Territory.Assignment.LEAST_LOADED:
        chosen = least_loaded(candidates)
    else:
        chosen = next_in_turn(candidates, turns[staff.territory_id])
        turns[staff.territory_id] += 1
    if chosen is None:
        return staff.owner_id
    counts[chosen.user_id] = counts.get(chosen.user_id, 0) + 1
    return chosen.user_id
