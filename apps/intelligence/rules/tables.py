"""Rows as arrays by column, with how they ended, in the order in which that was decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from apps.intelligence.rules.columns import Column, Kind
from apps.intelligence.rules.measures import Array


@dataclass(frozen=True)
class Table:
    """Rows to learn from.

    `values` are numbers with NaN where there is none, or texts with an empty one. `group` says
    which rows are of the same deal, `at` when that was decided, in seconds; without it rows are
    ordered by the hash of their group. `anyway` is what is thought likely without learning.
    """

    columns: Sequence[Column]
    values: Mapping[str, Array]
    outcome: Array
    group: Array
    at: Array | None = None
    anyway: Array | None = None

    def __len__(self) -> int:
        return len(self.outcome)

    def part(self, rows: Array) -> Table:
        """Some of its rows."""
        return Table(
            self.columns,
            {name: values[rows] for name, values in self.values.items()},
            self.outcome[rows],
            self.group[rows],
            None if self.at is None else self.at[rows],
            None if self.anyway is None else self.anyway[rows],
        )

    def places(self) -> Array:
        """Which place the group of each row has in time, or by hash."""
        names, first, member = np.unique(self.group, return_index=True, return_inverse=True)
        if self.at is None:
            rank = [blake2b(str(one).encode(), digest_size=8).digest() for one in names]
            order = sorted(range(len(names)), key=rank.__getitem__)
        else:
            order = list(np.lexsort((names, self.at[first])))
        place = np.empty(len(names), dtype=int)
        place[order] = np.arange(len(names))
        found: Array = place[member]
        return found


def table_of(
    columns: Sequence[Column],
    facts: Iterable[Mapping[str, Any]],
    *,
    outcome: Sequence[bool],
    group: Sequence[str],
    at: Sequence[float],
    anyway: Sequence[float],
) -> Table:
    """Rows given one by one, as a table to learn from."""
    return Table(
        columns=columns,
        values=columns_of(facts, columns),
        outcome=np.array(outcome, dtype=bool),
        group=np.array(group),
        at=np.array(at, dtype=float),
        anyway=np.array(anyway, dtype=float),
    )


def columns_of(values: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> dict[str, Array]:
    """Rows given one by one, as arrays by column."""
    rows = list(values)
    return {
        one.name: np.array(
            [_cell(row.get(one.name), one.kind) for row in rows],
            dtype=float if one.kind == Kind.NUMBER else object,
        )
        for one in columns
    }


def _cell(value: Any, kind: str) -> Any:
    if kind == Kind.CATEGORY:
        return "" if value is None else str(value)
    return np.nan if value is None else float(value)
