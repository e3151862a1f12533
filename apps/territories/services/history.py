"""Who a record belonged to, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from apps.core.actors import Actor
from apps.core.loading import insert_rows
from apps.territories.models import AssignmentPeriod


@dataclass(frozen=True)
class Move:
    """A record that comes to an owner and a territory."""

    record_id: UUID
    owner_id: UUID | None
    territory_id: UUID | None
    reason: str = ""


def note_assignments(
    model: type[AssignmentPeriod],
    moves: Sequence[Move],
    *,
    cause: str,
    at: datetime,
    actor: Actor,
    are_new: bool = False,
) -> None:
    """Write into the history where records belong from a moment on, inside the caller's
    transaction.

    Args:
        model: the app's concrete history.
        moves: one for each record.
        cause: one of `AssignmentPeriod.Cause`.
        at: when it takes effect; ends what was in effect before.
        actor: who did it.
        are_new: whether the records have no history yet.
    """
    if not moves:
        return
    begins = {} if are_new else _end_current(model, moves, at)
    insert_rows(
        model,
        [
            model(
                record_id=move.record_id,  # type: ignore[misc]
                owner_id=move.owner_id,
                territory_id=move.territory_id,
                valid=DateTimeTZRange(begins.get(move.record_id, at), None),
                cause=cause,
                reason=move.reason[:255],
                actor_id=actor.id,
            )
            for move in moves
        ],
    )


_END_CURRENT = """
WITH last AS (
    SELECT id, record_id, greatest(%s, lower(valid)) AS until
    FROM {table} WHERE record_id = ANY(%s) AND upper_inf(valid)
)
UPDATE {table} AS period SET valid = tstzrange(lower(valid), last.until), updated_at = %s
FROM last WHERE period.id = last.id
RETURNING last.record_id, last.until
"""


def _end_current(
    model: type[AssignmentPeriod], moves: Sequence[Move], at: datetime
) -> dict[UUID, datetime]:
    """End what is in effect; answers when, as another server's clock may run ahead of ours."""
    with connection.cursor() as cursor:
        cursor.execute(
            _END_CURRENT.format(table=f'"{model._meta.db_table}"'),
            [at, [move.record_id for move in moves], at],
        )
        return dict(cursor.fetchall())
