"""PostgreSQL as Django speaks to it, in fewer messages: the engine of the settings.

A message to the server and back costs more than most statements of a request. So `BEGIN` travels
with the first statement of a transaction, and what nobody waits for with the one after it, or with
`COMMIT`. Whatever goes wrong on the way is raised there, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from django.db import connection
from django.db.backends.utils import CursorWrapper

if TYPE_CHECKING:
    from apps.core.database.base import DatabaseWrapper


def send_along(sql: str, parameters: Sequence[Any]) -> None:
    """Send a statement along with the next one of the transaction; its answer is not asked for."""
    cast("DatabaseWrapper", connection).send_along(sql, parameters)


def take_turn(name: str) -> None:
    """Let nobody else do what bears this name until the transaction ends.

    Whoever comes second waits before the next statement, which the lock travels with.
    """
    send_along("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def prepared_cursor() -> CursorWrapper:
    """A cursor for statements of few shapes that come again and again.

    The server parses each shape once for a connection, and plans it once where its plan does not
    depend on the values.
    """
    return cast("DatabaseWrapper", connection).prepared_cursor()
