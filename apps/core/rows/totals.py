"""How many rows a list has: exact up to ten thousand, and at most a minute old."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cachetools import TTLCache
from django.db import connection

from apps.core.cache import shared_cache

EXACT_UP_TO = 10_000
FRESH_SECONDS = 50
IN_PROCESS_SECONDS = 10


@dataclass(frozen=True)
class Total:
    """A count, and whether it is only an estimate."""

    count: int
    is_estimate: bool = False


_recent: TTLCache[str, Total] = TTLCache(10_000, IN_PROCESS_SECONDS)


def total_of(key: str, sql: str, parameters: list[Any]) -> Total:
    """The total of a list under a key that names its rights and filters.

    Args:
        key: equal only for lists that count the same rows for equal rights.
        sql: SELECT of the rows to count.
        parameters: of the SQL.
    """
    if (known := _recent.get(key)) is not None:
        return known
    stored = shared_cache.get_or_make(f"total:{key}", FRESH_SECONDS, _counter(sql, parameters))
    total = Total(stored[0], bool(stored[1]))
    _recent[key] = total
    return total


def forget_totals() -> None:
    """Count anew in this process."""
    _recent.clear()


def _counter(sql: str, parameters: list[Any]) -> Callable[[], list[int]]:
    def count() -> list[int]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT count(*) FROM ({sql} LIMIT {EXACT_UP_TO + 1}) AS counted", parameters
            )
            exact = cursor.fetchone()[0]
            if exact <= EXACT_UP_TO:
                return [exact, 0]
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", parameters)
            plan = cursor.fetchone()[0]
        plan = json.loads(plan) if isinstance(plan, str) else plan
        return [max(exact, int(plan[0]["Plan"]["Plan Rows"])), 1]

    return count
