"""Several who act at once, each with a connection of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection

from apps.core.errors import Refusal


def outcomes_at_once(act: Callable[[Any], Any], given: Sequence[Any]) -> list[str]:
    """What becomes of an act done at once with each of what is given, sorted: `done`, or the
    reason of its refusal."""

    def attempt(one: Any) -> str:
        try:
            act(one)
        except Refusal as refusal:
            return refusal.reason
        else:
            return "done"
        finally:
            connection.close()

    with ThreadPoolExecutor(len(given)) as pool:
        return sorted(pool.map(attempt, given))
