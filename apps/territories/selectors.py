"""Answers about territories: how far an actor reaches, and the compiled rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from cachetools import TTLCache, cached
from cachetools.keys import hashkey
from django.db import connection

from apps.core.actors import EVERYTHING, Actor, Reach
from apps.core.cache import shared_cache
from apps.core.periods import organisation_today
from apps.core.permissions import ADMIN, INTEGRATION, READ_ONLY, SALES_MANAGER
from apps.territories.models import Territory
from apps.territories.permissions import ASSIGN_TERRITORY
from apps.territories.rules import Atlas, Candidate, Criteria, TerritoryRule, folded

# A change of membership, reporting line or rule is noticed by every process within this time.
NOTICED_WITHIN_SECONDS = 5
REACH_KEPT_SECONDS = 5
GENERATION = "reach"

_REACH = """
WITH RECURSIVE team(id) AS (
    SELECT %(user)s::uuid
    UNION
    SELECT u.id FROM users_user u JOIN team ON u.manager_id = team.id WHERE %(leads_team)s
), joined AS (
    SELECT m.territory_id AS id,
           m.user_id <> %(user)s OR m.role = 'manager' OR %(whole_branch)s AS with_children
    FROM territories_territorymember m JOIN team ON team.id = m.user_id
    WHERE m.valid_from <= %(today)s AND (m.valid_until IS NULL OR m.valid_until >= %(today)s)
    UNION ALL
    SELECT t.id, TRUE FROM territories_territory t JOIN team ON team.id = t.owner_id
    UNION ALL
    SELECT g.content_object_id, FALSE
    FROM territories_territorygrant g JOIN auth_permission p ON p.id = g.permission_id
    WHERE g.user_id = %(user)s AND p.codename = 'view_territory'
      AND (g.expires_at IS NULL OR g.expires_at > now())
), branch(id) AS (
    SELECT id FROM joined WHERE with_children
    UNION
    SELECT t.id FROM territories_territory t JOIN branch ON t.parent_territory_id = branch.id
)
SELECT ARRAY(SELECT id FROM team ORDER BY id),
       ARRAY(SELECT id FROM joined UNION SELECT id FROM branch ORDER BY id)
"""

_reaches: TTLCache[tuple[UUID, str], Reach] = TTLCache(20_000, NOTICED_WITHIN_SECONDS)


def reach_of(actor: Actor) -> Reach:
    """How far a person sees: own rows and territories, a manager's team and branches too.

    Resolved ids are shared between processes and made stale by any change of people, memberships
    or the tree. Grants and memberships also end by the clock, so nothing is kept longer than the
    ten seconds within which a change has to take effect.
    """
    if actor.role == ADMIN:
        return EVERYTHING
    key = (actor.id, actor.role)
    if (known := _reaches.get(key)) is not None:
        return known
    generation = shared_cache.generation(GENERATION)
    users, territories = shared_cache.get_or_make(
        f"reach:{generation}:{actor.role}:{actor.id}",
        REACH_KEPT_SECONDS,
        lambda: _resolve(actor),
    )
    reach = Reach(
        everything=actor.role == INTEGRATION and not territories,
        user_ids=tuple(UUID(one) for one in users),
        territory_ids=tuple(UUID(one) for one in territories),
        unrouted=actor.may(ASSIGN_TERRITORY),
    )
    _reaches[key] = reach
    return reach


def _resolve(actor: Actor) -> list[list[str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            _REACH,
            {
                "user": actor.id,
                "leads_team": actor.role == SALES_MANAGER,
                "whole_branch": actor.role in (SALES_MANAGER, READ_ONLY, INTEGRATION),
                "today": organisation_today(),
            },
        )
        users, territories = cursor.fetchone()
    return [[str(one) for one in users], [str(one) for one in territories]]


def make_reach_stale() -> None:
    """Let every process resolve reach anew, and this one at once."""
    shared_cache.make_stale(GENERATION)
    forget_reach()


def forget_reach() -> None:
    """Resolve reach and rules anew in this process."""
    _reaches.clear()
    _atlas.clear()


_atlas: TTLCache[object, Atlas] = TTLCache(1, NOTICED_WITHIN_SECONDS)


@cached(_atlas, key=lambda: hashkey("atlas"))
def current_atlas() -> Atlas:
    """The compiled rules of all active territories."""
    return Atlas.of(compile_rules(Territory.objects.all()))


def compile_rules(territories: Iterable[Territory]) -> list[TerritoryRule]:
    """Territories as routing sees them: each with its ancestors' criteria. A territory whose
    ancestor is switched off takes part no more."""
    by_id = {one.pk: one for one in territories}
    rules = []
    for one in by_id.values():
        lineage = _lineage(one, by_id)
        if all(ancestor.is_active for ancestor in lineage):
            rules.append(
                TerritoryRule(
                    territory_id=one.pk,
                    name=one.name,
                    priority=one.priority,
                    lineage=tuple(criteria_of(ancestor) for ancestor in lineage),
                )
            )
    return rules


def _lineage(territory: Territory, by_id: dict[UUID, Territory]) -> list[Territory]:
    """A territory and its ancestors, outermost first."""
    line = [territory]
    while (parent_id := line[0].parent_territory_id) is not None and parent_id in by_id:
        line.insert(0, by_id[parent_id])
    return line


def criteria_of(territory: Territory) -> Criteria:
    """A territory's own rules."""
    return Criteria(
        countries=frozenset(country.upper() for country in territory.countries),
        states=frozenset(folded(state) for state in territory.states),
        zip_codes=tuple(territory.zip_codes),
        industry=folded(territory.industry),
        min_employee_count=territory.min_employee_count,
        max_employee_count=territory.max_employee_count,
        min_annual_revenue=territory.min_annual_revenue,
        max_annual_revenue=territory.max_annual_revenue,
        named_accounts=frozenset(folded(name) for name in territory.named_accounts),
    )


@dataclass(frozen=True)
class Staff:
    """Who works a territory, and how work is handed out there."""

    territory_id: UUID
    assignment: str
    owner_id: UUID | None
    candidates: tuple[Candidate, ...]


_STAFF = """
SELECT t.id, t.assignment, CASE WHEN o.is_active THEN t.owner_id END,
       m.user_id, m.capacity,
       EXISTS (SELECT FROM territories_absence a WHERE a.user_id = m.user_id
               AND a.starts_on <= %(today)s AND a.ends_on >= %(today)s)
FROM territories_territory t
LEFT JOIN users_user o ON o.id = t.owner_id
LEFT JOIN (territories_territorymember m
           JOIN users_user u ON u.id = m.user_id AND u.is_active)
       ON m.territory_id = t.id AND m.role = 'rep' AND t.assignment <> 'owner'
      AND m.valid_from <= %(today)s AND (m.valid_until IS NULL OR m.valid_until >= %(today)s)
WHERE t.id = ANY(%(territories)s)
ORDER BY t.id, m.user_id
"""


def staff_of(territory_ids: Sequence[UUID], *, today: date) -> dict[UUID, Staff]:
    """Who works each territory on a day; members appear only where work is shared out."""
    with connection.cursor() as cursor:
        cursor.execute(_STAFF, {"today": today, "territories": list(territory_ids)})
        rows = cursor.fetchall()
    found: dict[UUID, Staff] = {}
    for territory_id, assignment, owner_id, user_id, capacity, is_away in rows:
        staff = found.get(territory_id) or Staff(territory_id, assignment, owner_id, ())
        if user_id is not None:
            candidate = Candidate(user_id, capacity=capacity, is_away=is_away)
            staff = Staff(territory_id, assignment, owner_id, (*staff.candidates, candidate))
        found[territory_id] = staff
    return found
