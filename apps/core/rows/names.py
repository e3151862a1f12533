"""Names of the few people and places that appear on many rows, kept in each process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cachetools import TTLCache
from django.db import connection

KEPT_FOR_SECONDS = 10
KEPT_AT_MOST = 20_000


@dataclass(frozen=True)
class Names:
    """The names of one table's rows by id. A rename shows within ten seconds."""

    table: str
    column: str = "name"
    _cards: TTLCache[str, dict[str, str]] = field(
        default_factory=lambda: TTLCache(KEPT_AT_MOST, KEPT_FOR_SECONDS),
        repr=False,
        compare=False,
    )

    def cards(self, ids: Iterable[str]) -> dict[str, dict[str, str]]:
        """`{"id", "name"}` of each id that exists, in the order of the ids."""
        found = {identifier: self._cards.get(identifier) for identifier in ids}
        if missing := [identifier for identifier, card in found.items() if card is None]:
            for card in self._load(missing):
                found[card["id"]] = self._cards[card["id"]] = card
        return {identifier: card for identifier, card in found.items() if card is not None}

    def _load(self, ids: list[str]) -> list[dict[str, str]]:
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT id::text, "{self.column}" FROM "{self.table}" WHERE id = ANY(%s::uuid[])',
                [ids],
            )
            return [{"id": identifier, "name": name} for identifier, name in cursor.fetchall()]

    def forget(self) -> None:
        """Load every name anew."""
        self._cards.clear()
