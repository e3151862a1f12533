"""Who a record belonged to, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from apps.core.actors import Actor
from apps.core.database import send_along
from apps.core.identifiers import new_id
from apps.core.loading import insert_rows
from apps.territories.models import AssignmentPeriod


@dataclass(frozen=True)
class Move:
    """A record that comes to an owner and a territory; a new one may have been there `since`."""

    record_id: UUID
    owner_id: UUID | None
    territory_id: UUID | None
    reason: str = ""
    since: datetime | None = None


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
    if are_new:
        insert_rows(model, [_first_period(model, one, cause, at, actor) for one in moves])
        return
    table = f'"{model._meta.db_table}"'
    send_along(_END_CURRENT.format(table=table), [at, at, [one.record_id for one in moves]])
    send_along(
        _BEGIN_NEXT.format(table=table),
        [
            at,
            at,
            at,
            cause,
            actor.id,
            [new_id() for _ in moves],
            [one.record_id for one in moves],
            [one.owner_id for one in moves],
            [one.territory_id for one in moves],
            [one.reason[:255] for one in moves],
        ],
    )


def _first_period(
    model: type[AssignmentPeriod], move: Move, cause: str, at: datetime, actor: Actor
) -> AssignmentPeriod:
    return model(
        record_id=move.record_id,  # type: ignore[misc]
        owner_id=move.owner_id,
        territory_id=move.territory_id,
        valid=DateTimeTZRange(move.since or at, None),
        cause=cause,
        reason=move.reason[:255],
        actor_id=actor.id,
    )


# Another server's clock may run ahead of ours: a period neither ends before it began nor begins
# before the last one ended.
_END_CURRENT = """
UPDATE {table} SET valid = tstzrange(lower(valid), greatest(%s, lower(valid))), updated_at = %s
WHERE record_id = ANY(%s) AND upper_inf(valid)
"""
_BEGIN_NEXT = """
INSERT INTO {table} (id, created_at, updated_at, valid, cause, actor_id,
                     record_id, owner_id, territory_id, reason)
SELECT id, %s, %s,
       tstzrange(greatest(%s, (SELECT max(upper(valid)) FROM {table} AS past
                               WHERE past.record_id = move.record_id)), NULL),
       %s, %s, record_id, owner_id, territory_id, reason
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[])
     AS move(id, record_id, owner_id, territory_id, reason)
"""
