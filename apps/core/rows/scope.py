"""An actor's reach as SQL, in the two shapes that are fast: per id, and as arrays.

A handful of people and territories is answered fastest by taking the newest rows of each (LATERAL,
one index descent per id); many by arrays with `= ANY` while walking the order's index.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from apps.core.actors import Actor, Reach

FEW = 8


@dataclass(frozen=True)
class Condition:
    """SQL over the row `t` with its parameters."""

    sql: str
    parameters: tuple[Any, ...] = ()

    def named(self) -> tuple[str, dict[str, Any]]:
        """The same with parameters that have names, for statements whose parameters have."""
        parameters = {f"reach_{place}": one for place, one in enumerate(self.parameters)}
        return self.sql % tuple(f"%({name})s" for name in parameters), parameters


ALWAYS = Condition("TRUE")


class Scope(Protocol):
    """Which rows of a listing an actor sees."""

    def condition(self, actor: Actor) -> Condition:
        """The rows within reach."""

    def condition_by_key(self, actor: Actor) -> Condition:
        """The same for rows that are found by their keys."""

    def branches(self, actor: Actor) -> list[Condition] | None:
        """Conditions that each hold for a few index ranges and together for all rows within
        reach; None where the one condition is the better shape."""

    def place(self) -> tuple[str, str] | None:
        """SQL of a row's owner and territory, by which it is seen; None where all see it."""


@dataclass(frozen=True)
class OwnedScope:
    """Rows with an owner and a territory, seen by whoever reaches either."""

    owner: str = "owner_id"
    territory: str = "territory_id"
    row: str = "t"

    def condition(self, actor: Actor) -> Condition:
        """The rows within reach, as arrays."""
        return self._within(actor.reach, "%s::uuid[]")

    def condition_by_key(self, actor: Actor) -> Condition:
        """The same arrays, which the planner can't look into: weighing hundreds of ids takes it
        longer than finding the row."""
        return self._within(actor.reach, "(SELECT %s::uuid[])::uuid[]")

    def _within(self, reach: Reach, array: str) -> Condition:
        if reach.everything:
            return ALWAYS
        parts = [
            f'{self.row}."{self.owner}" = ANY({array})',
            f'{self.row}."{self.territory}" = ANY({array})',
        ]
        if reach.unrouted:
            parts.append(self._unrouted())
        return Condition(f"({' OR '.join(parts)})", (reach.user_array, reach.territory_array))

    def branches(self, actor: Actor) -> list[Condition] | None:
        """One condition per person and territory, while there are few."""
        reach = actor.reach
        if reach.everything or self._count(reach) > FEW:
            return None
        found = [Condition(f'{self.row}."{self.owner}" = %s', (who,)) for who in reach.user_ids]
        found += [
            Condition(f'{self.row}."{self.territory}" = %s', (where,))
            for where in reach.territory_ids
        ]
        if reach.unrouted:
            found.append(Condition(self._unrouted()))
        return found

    def place(self) -> tuple[str, str]:
        """Its own."""
        return f'{self.row}."{self.owner}"', f'{self.row}."{self.territory}"'

    def _unrouted(self) -> str:
        return f'({self.row}."{self.owner}" IS NULL AND {self.row}."{self.territory}" IS NULL)'

    @staticmethod
    def _count(reach: Reach) -> int:
        return len(reach.user_ids) + len(reach.territory_ids) + reach.unrouted


@dataclass(frozen=True)
class ParentScope:
    """Rows about something with an owner and a territory, seen by whoever sees that."""

    table: str
    reference: str

    def condition(self, actor: Actor) -> Condition:
        """The rows whose parent is within reach and not in the bin."""
        return self._parent(OwnedScope(row="parent").condition(actor))

    def condition_by_key(self, actor: Actor) -> Condition:
        """The same for rows that are found by their keys."""
        return self._parent(OwnedScope(row="parent").condition_by_key(actor))

    def keys(self, actor: Actor, table: str) -> Condition:
        """SELECT of the ids of the same rows of a table, found from their parents."""
        within = OwnedScope(row="parent").condition(actor)
        return Condition(
            f'SELECT child.id FROM "{self.table}" AS parent JOIN "{table}" AS child '
            f'ON child."{self.reference}" = parent.id '
            f"WHERE parent.deleted_at IS NULL AND {within.sql}",
            within.parameters,
        )

    def _parent(self, within: Condition) -> Condition:
        return Condition(
            f'EXISTS (SELECT FROM "{self.table}" AS parent '
            f'WHERE parent.id = t."{self.reference}" AND parent.deleted_at IS NULL '
            f"AND {within.sql})",
            within.parameters,
        )

    def branches(self, actor: Actor) -> list[Condition] | None:
        """Always the one condition: such rows are listed parent by parent."""
        return None

    def place(self) -> tuple[str, str]:
        """The parent's."""
        parent = f'FROM "{self.table}" AS parent WHERE parent.id = t."{self.reference}"'
        return f"(SELECT parent.owner_id {parent})", f"(SELECT parent.territory_id {parent})"


@dataclass(frozen=True)
class EitherScope:
    """Rows about one thing or another, seen by whoever sees that.

    Those about `others` are for whoever has the right to that kind, too.
    """

    table: str
    parent: ParentScope
    others: tuple[tuple[str, ParentScope], ...]

    def condition(self, actor: Actor) -> Condition:
        """The rows whose parent, of whichever kind, is within reach and not in the bin.

        Whoever does not see everything sees few: those are found from their parents, whatever
        order and filters they are then put into. The array has the planner go that way.
        """
        if actor.reach.everything:
            return self._any(actor, ParentScope.condition)
        found = [scope.keys(actor, self.table) for scope in self._parents(actor)]
        return Condition(
            f"t.id = ANY(ARRAY({' UNION ALL '.join(one.sql for one in found)}))",
            tuple(one for each in found for one in each.parameters),
        )

    def condition_by_key(self, actor: Actor) -> Condition:
        """The same for rows that are found by their keys."""
        return self._any(actor, ParentScope.condition_by_key)

    def _any(self, actor: Actor, within: Callable[[ParentScope, Actor], Condition]) -> Condition:
        found = [within(scope, actor) for scope in self._parents(actor)]
        return Condition(
            f"({' OR '.join(one.sql for one in found)})",
            tuple(one for each in found for one in each.parameters),
        )

    def branches(self, actor: Actor) -> list[Condition] | None:
        """Always the one condition: such rows are listed parent by parent."""
        return None

    def place(self) -> tuple[str, str]:
        """The parent's."""
        parents = [self.parent, *(scope for _, scope in self.others)]
        owners, territories = zip(*(scope.place() for scope in parents), strict=True)
        return f"coalesce({', '.join(owners)})", f"coalesce({', '.join(territories)})"

    def _parents(self, actor: Actor) -> list[ParentScope]:
        return [self.parent, *(scope for right, scope in self.others if actor.may(right))]


@dataclass(frozen=True)
class PersonScope:
    """Rows that belong to a person, and are seen by whoever reaches that one."""

    person: str = "user_id"

    def condition(self, actor: Actor) -> Condition:
        """The rows of the people within reach."""
        if actor.reach.everything:
            return ALWAYS
        return Condition(f't."{self.person}" = ANY(%s::uuid[])', (actor.reach.user_array,))

    def condition_by_key(self, actor: Actor) -> Condition:
        """The same: there are few such rows."""
        return self.condition(actor)

    def branches(self, actor: Actor) -> list[Condition] | None:
        """Always the one condition: there are few such rows."""
        return None

    def place(self) -> tuple[str, str]:
        """The person alone."""
        return f't."{self.person}"', "NULL::uuid"


@dataclass(frozen=True)
class TerritoryScope:
    """Rows that belong to a territory and are seen by whoever reaches it."""

    territory: str = "territory_id"

    def condition(self, actor: Actor) -> Condition:
        """The rows of the territories within reach."""
        if actor.reach.everything:
            return ALWAYS
        return Condition(f't."{self.territory}" = ANY(%s::uuid[])', (actor.reach.territory_array,))

    def condition_by_key(self, actor: Actor) -> Condition:
        """The same: there are few such rows."""
        return self.condition(actor)

    def branches(self, actor: Actor) -> list[Condition] | None:
        """Always the one condition: there are few such rows."""
        return None

    def place(self) -> tuple[str, str]:
        """The territory alone."""
        return "NULL::uuid", f't."{self.territory}"'


@dataclass(frozen=True)
class OpenScope:
    """Rows that everybody with the right to read them sees."""

    def condition(self, actor: Actor) -> Condition:
        """Every row."""
        return ALWAYS

    def condition_by_key(self, actor: Actor) -> Condition:
        """Every row."""
        return ALWAYS

    def branches(self, actor: Actor) -> list[Condition] | None:
        """Always the one condition."""
        return None

    def place(self) -> None:
        """Nowhere: everybody sees it."""
        return
