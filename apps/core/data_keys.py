"""Data keys: destroyed with what they open, and wrapped anew by another key of ours."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.encryption.ring import ring
from apps.core.jobs import Step, actor_of_job, request_job, runs
from apps.core.models import DataKey, Job
from apps.core.permissions import MANAGE_SYSTEM, require

BATCH = 1000
# A key says by which of ours it is wrapped in its first byte.
_WRAPPED_BY = "get_byte(wrapped, 0)"


def destroy_keys(ids: Iterable[Any]) -> int:
    """Make everything that was encrypted under these keys unreadable for good, wherever it stands.

    In the transaction of whoever decided it. Returns how many there were.
    """
    there = DataKey.objects.filter(pk__in=list(ids), destroyed_at=None)
    return there.update(wrapped=None, destroyed_at=timezone.now())


def keys_by_number() -> dict[int, int]:
    """How many data keys each of the installation's keys wraps, by its number."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_WRAPPED_BY}, count(*) FROM core_datakey "
            "WHERE wrapped IS NOT NULL GROUP BY 1 ORDER BY 1"
        )
        return dict(cursor.fetchall())


@command
def request_rotation(*, actor: Actor) -> Job:
    """Have every data key wrapped by the installation's key in use, while work goes on.

    Afterwards the older keys can leave `ENCRYPTION_KEYS`. Raises NotAllowed.
    """
    require(actor, MANAGE_SYSTEM)
    outdated = sum(count for number, count in keys_by_number().items() if number != ring().in_use)
    return request_job("encryption.rotate", parameters={}, total=outdated, actor=actor)


@runs("encryption.rotate")
def start_rotation(job: Job, resources: ExitStack) -> Step:
    """Wrap keys anew in the order of their ids, behind the last one that was."""

    def next_batch(job: Job) -> bool:
        require(actor_of_job(job), MANAGE_SYSTEM)
        wrapped = _wrap_anew(job.parameters.get("after", str(UUID(int=0))))
        if wrapped:
            job.parameters["after"] = wrapped[-1]
        job.position += len(wrapped)
        job.succeeded += len(wrapped)
        return len(wrapped) == BATCH

    return next_batch


_OUTDATED = f"""
SELECT id::text, wrapped FROM core_datakey
WHERE id > %s AND wrapped IS NOT NULL AND {_WRAPPED_BY} <> %s
ORDER BY id LIMIT %s FOR UPDATE
"""
_REWRAP = """
UPDATE core_datakey AS k SET wrapped = v.wrapped
FROM unnest(%s::uuid[], %s::bytea[]) AS v(id, wrapped) WHERE k.id = v.id
"""


def _wrap_anew(after: str) -> list[str]:
    """The next keys, wrapped by the key in use; returns their ids."""
    keys = ring()
    with connection.cursor() as cursor:
        cursor.execute(_OUTDATED, [after, keys.in_use, BATCH])
        found = cursor.fetchall()
        ids = [key_id for key_id, _ in found]
        anew = [keys.wrap(keys.unwrap(bytes(wrapped))) for _, wrapped in found]
        cursor.execute(_REWRAP, [ids, anew])
    return ids
