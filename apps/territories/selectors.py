"""Answers about territories: how far an actor reaches, and the compiled rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from cachetools import TTLCache, cached
from cachetools.keys import hashkey
from django.db import connection

from apps.core.actors import EVERYTHING, Actor, Reach
from apps.core.cache import shared_cache
from apps.core.errors import InvalidInput, NotFound
from apps.core.periods import organisation_today
from apps.core.permissions import (
    ADMIN,
    EXPLAIN_ACCESS,
    INTEGRATION,
    READ_ONLY,
    SALES_MANAGER,
    require,
)
from apps.core.rows.listing import Listing
from apps.territories.errors import TerritoryInactive
from apps.territories.models import Territory
from apps.territories.permissions import ASSIGN_TERRITORY
from apps.territories.rules import Atlas, Candidate, Criteria, TerritoryRule, folded
from apps.users.selectors import actor_for

# A change of membership, reporting line or rule is noticed by every process within this time.
NOTICED_WITHIN_SECONDS = 5
REACH_KEPT_SECONDS = 5
GENERATION = "reach"

# Whoever sees a territory in these roles sees what lies below it.
_WHOLE_BRANCH = (SALES_MANAGER, READ_ONLY, INTEGRATION)

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
       ARRAY(SELECT id FROM joined UNION SELECT id FROM branch ORDER BY id),
       EXISTS (SELECT FROM users_user WHERE id = %(user)s AND all_territories)
"""

_reaches: TTLCache[tuple[UUID, str, bool], Reach] = TTLCache(20_000, NOTICED_WITHIN_SECONDS)


def reach_of(actor: Actor) -> Reach:
    """How far a person sees: own rows and territories, a manager's team and branches too.

    Resolved ids are shared between processes and made stale by any change of people, memberships
    or the tree. Grants and memberships also end by the clock, so nothing is kept longer than the
    ten seconds within which a change has to take effect.
    """
    if actor.role == ADMIN:
        return EVERYTHING
    unrouted = actor.may(ASSIGN_TERRITORY)  # scopes may narrow it, from one request to the next
    key = (actor.id, actor.role, unrouted)
    if (known := _reaches.get(key)) is not None:
        return known
    generation = shared_cache.generation(GENERATION)
    users, territories, everything = shared_cache.get_or_make(
        f"reach:{generation}:{actor.role}:{actor.id}",
        REACH_KEPT_SECONDS,
        lambda: _resolve(actor),
    )
    reach = Reach(
        everything=everything,
        user_ids=tuple(UUID(one) for one in users),
        territory_ids=tuple(UUID(one) for one in territories),
        unrouted=unrouted,
    )
    _reaches[key] = reach
    return reach


def _resolve(actor: Actor) -> tuple[list[str], list[str], bool]:
    with connection.cursor() as cursor:
        cursor.execute(
            _REACH,
            {
                "user": actor.id,
                "leads_team": actor.role == SALES_MANAGER,
                "whole_branch": actor.role in _WHOLE_BRANCH,
                "today": organisation_today(),
            },
        )
        users, territories, everything = cursor.fetchone()
    return [str(one) for one in users], [str(one) for one in territories], everything


def make_reach_stale() -> None:
    """Let every process resolve reach anew, and this one at once."""
    shared_cache.make_stale(GENERATION)
    forget_reach()


def forget_reach() -> None:
    """Resolve reach, rules and staff anew in this process."""
    _reaches.clear()
    _atlas.clear()
    _staffs.clear()


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
    is_active: bool
    assignment: str
    owner_id: UUID | None
    candidates: tuple[Candidate, ...]


_STAFF = """
SELECT t.id, t.is_active, t.assignment, CASE WHEN o.is_active THEN t.owner_id END,
       m.user_id, m.capacity,
       EXISTS (SELECT FROM territories_absence a WHERE a.user_id = m.user_id
               AND a.starts_on <= %(today)s AND a.ends_on >= %(today)s)
FROM territories_territory t
LEFT JOIN users_user o ON o.id = t.owner_id
LEFT JOIN (territories_territorymember m
           JOIN users_user u ON u.id = m.user_id AND u.is_active)
       ON m.territory_id = t.id AND m.role = 'rep' AND t.assignment <> 'owner'
      AND m.valid_from <= %(today)s AND (m.valid_until IS NULL OR m.valid_until >= %(today)s)
ORDER BY t.id, m.user_id
"""

_staffs: TTLCache[date, dict[UUID, Staff]] = TTLCache(1, NOTICED_WITHIN_SECONDS)


def staff_of(territory_ids: Iterable[UUID], *, today: date) -> dict[UUID, Staff]:
    """Who works each territory on a day; members appear only where work is shared out."""
    wanted = set(territory_ids)
    staffs = _all_staffs(today)
    if not staffs.keys() >= wanted:
        _staffs.clear()
        staffs = _all_staffs(today)
    return {one: staffs[one] for one in sorted(wanted) if one in staffs}


@cached(_staffs)
def _all_staffs(today: date) -> dict[UUID, Staff]:
    with connection.cursor() as cursor:
        cursor.execute(_STAFF, {"today": today})
        rows = cursor.fetchall()
    found: dict[UUID, Staff] = {}
    for territory_id, is_active, assignment, owner_id, user_id, capacity, is_away in rows:
        staff = found.get(territory_id) or Staff(territory_id, is_active, assignment, owner_id, ())
        if user_id is not None:
            candidate = Candidate(user_id, capacity=capacity, is_away=is_away)
            staff = replace(staff, candidates=(*staff.candidates, candidate))
        found[territory_id] = staff
    return found


def check_active_territory(territory_id: UUID, actor: Actor) -> None:
    """Raises InvalidInput for a territory out of reach, TerritoryInactive for one switched off."""
    is_within = actor.reach.everything or territory_id in actor.reach.territory_ids
    staffs = staff_of([territory_id], today=organisation_today()) if is_within else {}
    if territory_id not in staffs:
        raise InvalidInput.field("territory_id", "There is no such territory within your reach.")
    if not staffs[territory_id].is_active:
        raise TerritoryInactive


@dataclass(frozen=True)
class AccessRule:
    """A rule by which a person can see a row: whether it holds, and why."""

    rule: str
    holds: bool
    sentence: str


_LINE = """
WITH RECURSIVE line(id, name, manager_id, height) AS (
    SELECT id, name, manager_id, 0 FROM users_user WHERE id = %s
    UNION ALL
    SELECT u.id, u.name, u.manager_id, line.height + 1
    FROM users_user u JOIN line ON u.id = line.manager_id
)
SELECT id, name FROM line ORDER BY height
"""

# Every tie of some people to a territory or one above it. Ties that have ended are among them:
# they are what people ask about.
_TIES = """
WITH RECURSIVE line(id, name, parent_id, height) AS (
    SELECT id, name, parent_territory_id, 0 FROM territories_territory WHERE id = %(territory)s
    UNION ALL
    SELECT t.id, t.name, t.parent_territory_id, line.height + 1
    FROM territories_territory t JOIN line ON t.id = line.parent_id
)
SELECT 'territory_member', u.id, u.name, m.role, line.name, line.height,
       m.valid_from <= %(today)s AND (m.valid_until IS NULL OR m.valid_until >= %(today)s)
FROM line JOIN territories_territorymember m ON m.territory_id = line.id
JOIN users_user u ON u.id = m.user_id WHERE u.id = ANY(%(people)s)
UNION ALL
SELECT 'territory_owner', u.id, u.name, 'owner', line.name, line.height, TRUE
FROM line JOIN territories_territory t ON t.id = line.id
JOIN users_user u ON u.id = t.owner_id WHERE u.id = ANY(%(people)s)
UNION ALL
SELECT 'territory_grant', u.id, u.name, 'grant', line.name, line.height,
       g.expires_at IS NULL OR g.expires_at > now()
FROM line JOIN territories_territorygrant g ON g.content_object_id = line.id
JOIN auth_permission p ON p.id = g.permission_id AND p.codename = 'view_territory'
JOIN users_user u ON u.id = g.user_id WHERE u.id = %(user)s
ORDER BY 6, 1, 3
"""


@dataclass(frozen=True)
class _Tie:
    """What ties a person, or somebody of their team, to a territory or one above it."""

    rule: str
    user_id: UUID
    user: str
    role: str
    territory: str
    height: int
    is_in_force: bool

    def reaches_down(self, actor: Actor) -> bool:
        """Whether it covers the territories below its own."""
        if self.rule == "territory_grant":
            return False
        if self.rule == "territory_owner" or self.role == "manager":
            return True
        return self.user_id != actor.id or actor.role in _WHOLE_BRANCH

    def told(self, actor: Actor) -> AccessRule:
        """The rule it makes."""
        tie = f"{self.user} has the tie {self.role} to {self.territory}"
        if not self.is_in_force:
            return AccessRule(self.rule, False, f"{tie}, but not today.")
        if self.height and not self.reaches_down(actor):
            return AccessRule(self.rule, False, f"{tie}, which does not reach down to this one.")
        return AccessRule(self.rule, True, f"{tie}.")


@dataclass(frozen=True)
class Explanation:
    """Why a person sees a row: all conditions must hold, and one of the rules."""

    is_visible: bool
    conditions: tuple[AccessRule, ...]
    rules: tuple[AccessRule, ...]


def explain_access(*, listing: Listing, row_id: UUID, user_id: UUID, actor: Actor) -> Explanation:
    """Why a person sees a row, or why not. Raises NotAllowed, NotFound.

    Args:
        listing: the kind of row.
        row_id: of any row, in the bin or not.
        user_id: the person's.
        actor: who asks; needs `access:explain`.
    """
    require(actor, EXPLAIN_ACCESS)
    place = listing.place_of(row_id)
    person = actor_for(user_id, door="explanation")
    if place is None:
        raise NotFound("There is no such row.", reason="row_not_found")
    if person is None:
        raise NotFound("There is no such person, or their access ended.", reason="user_not_found")
    conditions = (
        AccessRule("permission", person.may(listing.read), f"It takes {listing.read}."),
        AccessRule("in_use", place.is_listed, "It must not lie in the bin or be merged away."),
    )
    rules = (
        (AccessRule("open", True, "Such rows are seen by everybody with the permission."),)
        if listing.scope.place() is None
        else tuple(access_rules(person, owner_id=place.owner_id, territory_id=place.territory_id))
    )
    holds = all(one.holds for one in conditions) and any(one.holds for one in rules)
    return Explanation(holds, conditions, rules)


def access_rules(
    actor: Actor, *, owner_id: UUID | None, territory_id: UUID | None
) -> list[AccessRule]:
    """The rules by which a person could see a row with this owner and territory.

    The person sees it when one of them holds: the same rows as `reach_of` answers for, told one by
    one (sales-core, People and rights).
    """
    return [
        _role_rule(actor),
        _owner_rule(actor, owner_id),
        *_territory_rules(actor, territory_id),
        _queue_rule(actor, is_unrouted=owner_id is None and territory_id is None),
    ]


def _role_rule(actor: Actor) -> AccessRule:
    if actor.reach.everything:
        return AccessRule("role", True, f"The role {actor.role} sees every row.")
    return AccessRule("role", False, f"The role {actor.role} sees rows by owner and territory.")


def _owner_rule(actor: Actor, owner_id: UUID | None) -> AccessRule:
    if owner_id is None:
        return AccessRule("owner", False, "Nobody owns it.")
    with connection.cursor() as cursor:
        cursor.execute(_LINE, [owner_id])
        line = dict(cursor.fetchall())
    if owner_id == actor.id:
        return AccessRule("owner", True, "It is the person's own.")
    if actor.id not in line:
        return AccessRule("owner", False, f"{line[owner_id]} owns it and does not report here.")
    names = list(line.values())[: list(line).index(actor.id) + 1]
    reports = " reports to ".join(names)
    if actor.role != SALES_MANAGER:
        return AccessRule("reporting_line", False, f"{reports}, who is no sales manager.")
    return AccessRule("reporting_line", True, f"{reports}.")


def _territory_rules(actor: Actor, territory_id: UUID | None) -> list[AccessRule]:
    if territory_id is None:
        return [AccessRule("territory", False, "It lies in no territory.")]
    people = actor.reach.user_ids if actor.role == SALES_MANAGER else (actor.id,)
    with connection.cursor() as cursor:
        cursor.execute(
            _TIES,
            {
                "territory": territory_id,
                "people": list(people),
                "user": actor.id,
                "today": organisation_today(),
            },
        )
        ties = [_Tie(*row) for row in cursor.fetchall()]
    if not ties:
        return [AccessRule("territory", False, "Nothing ties the person to its territory.")]
    return [tie.told(actor) for tie in ties]


def _queue_rule(actor: Actor, *, is_unrouted: bool) -> AccessRule:
    if not is_unrouted:
        return AccessRule("unrouted", False, "It was routed already.")
    holds = actor.reach.unrouted
    return AccessRule(
        "unrouted",
        holds,
        f"It waits to be routed, which is for holders of {ASSIGN_TERRITORY}"
        + ("." if holds else ", and the person is none."),
    )
