"""Reads that every scoped model shares: what an actor sees, and the bin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from apps.core.actors import Actor
from apps.core.encryption.columns import key_column
from apps.core.loading import read_rows


@models.UUIDField.register_lookup
@models.ForeignKey.register_lookup
class AnyOf(models.Lookup):
    """`owner_id__any=[…]` as one array parameter: planned and parsed faster than a long IN.

    Of an ArraySubquery the planner goes by the array, where it would look into IN.
    """

    lookup_name = "any"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, parameters = self.process_lhs(compiler, connection)
        if hasattr(self.rhs, "as_sql"):
            right, more = self.process_rhs(compiler, connection)
            return f"{left} = ANY({right})", (*parameters, *more)
        array = self.rhs.text if isinstance(self.rhs, IdArray) else list(self.rhs)
        return f"{left} = ANY(%s::uuid[])", (*parameters, array)


@dataclass(frozen=True)
class IdArray:
    """Many ids as PostgreSQL writes an array: Django does not walk through it, nor does psycopg."""

    text: str


class ScopedQuerySet(models.QuerySet):
    """Rows that have an owner and a territory, and are seen by whoever reaches either."""

    def visible_to(self, actor: Actor) -> Self:
        """The rows within the actor's reach."""
        reach = actor.reach
        if reach.everything:
            return self
        within = Q(owner_id__any=IdArray(reach.user_array))
        within |= Q(territory_id__any=IdArray(reach.territory_array))
        if reach.unrouted:
            within |= Q(owner_id=None, territory_id=None)
        return self.filter(within)

    def lock(self) -> Self:
        """The rows, locked against other changes until the transaction ends, in key order."""
        return self.select_for_update(of=("self",)).order_by("pk")

    def with_ids(self, ids: Iterable[UUID]) -> Self:
        """The rows with these ids."""
        return self.filter(pk__any=list(ids))


class BinManager(models.Manager):
    """Leaves out what lies in the bin; `with_bin()` brings it back."""

    def lock_visible_to(
        self, actor: Actor, ids: Iterable[UUID], *, in_bin: bool = False
    ) -> dict[UUID, Any]:
        """The rows with these ids that the actor sees, by id, locked in key order until the
        transaction ends.

        The same rows as `visible_to` finds. They are found by key alone and judged once they are
        locked: to plan a condition on hundreds of people and territories costs more than it takes
        to change a row.
        """
        return _within_reach(read_rows(self.model, ids, lock=True), actor, in_bin)

    def one_visible_to(self, actor: Actor, row_id: UUID) -> Any:
        """The row with this id if the actor sees it, else None; found and judged the same way."""
        return _within_reach(read_rows(self.model, [row_id]), actor, False).get(row_id)

    def get_queryset(self) -> Any:
        return self.with_bin().filter(deleted_at=None)

    def with_bin(self) -> Any:
        """All rows, those in the bin included, each with what opens its encrypted columns."""
        rows = super().get_queryset()
        return rows if key_column(self.model) is None else rows.select_related("data_key")


def _within_reach(rows: Iterable[Any], actor: Actor, in_bin: bool) -> dict[UUID, Any]:
    reach = actor.reach
    return {
        row.pk: row
        for row in rows
        if row.is_in_bin is in_bin
        and reach.includes(owner_id=row.owner_id, territory_id=row.territory_id)
    }
