"""Idempotency keys: the same POST under the same key happens once.

The key is held by a lock while the work goes on, and kept with the outcome in the transaction of
the work, so the two can't come apart. A refusal for good is kept when the work was rolled back;
anything else, a killed process included, leaves the key as free as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError, connection, transaction

from apps.core.database import send_along
from apps.core.errors import Conflict, Refusal
from apps.core.identifiers import new_id
from apps.core.models import IdempotencyKey
from apps.core.retention import Due, Rows, forgets


class InProgress(Conflict):
    """Another request with this key is still being worked on."""

    reason = "idempotency_key_in_progress"
    message = "A request with this Idempotency-Key is still in progress."


class KeyReused(Conflict):
    """The key was used for a different request."""

    reason = "idempotency_key_reused"
    message = "This Idempotency-Key was used for a different request."


@dataclass(frozen=True)
class Outcome:
    """How the first request under a key ended.

    Attributes:
        status: of its answer.
        answer: to give again, as JSON.
        is_kept: False for one that was shown once and is not given again.
        is_repeat: whether this was kept from an earlier request.
    """

    status: int
    answer: Any
    is_kept: bool = True
    is_repeat: bool = False


@dataclass(frozen=True)
class Key:
    """A client's key, and the request it is used for."""

    actor_id: UUID
    text: str
    digest: str

    def once(
        self, work: Callable[[], Outcome], *, told: Callable[[Refusal], Outcome | None]
    ) -> Outcome:
        """Carry out work once: its outcome, or how the first request under the key ended.

        Args:
            work: what is to happen once.
            told: how a refusal is told again; None for one that may not stand.

        Raises:
            InProgress: the first request has not ended.
            KeyReused: the key belongs to a different request.
            Refusal: of the work.
        """
        refused: Refusal | None = None
        with _told_as_progress(), transaction.atomic():
            if known := self._known():
                return known
            try:
                with transaction.atomic():
                    outcome = work()
            except Refusal as refusal:
                again = told(refusal)
                if again is None:
                    raise
                refused, outcome = refusal, again
            if outcome.is_kept:
                self._keep(outcome)
        if refused is not None:
            raise refused
        return outcome

    def _known(self) -> Outcome | None:
        """How the first request ended; None takes the key. Raises InProgress, KeyReused."""
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, [f"{self.actor_id} {self.text}", self.actor_id, self.text])
            is_free, digest, status, answer = cursor.fetchone()
        if digest is None:
            if not is_free:
                raise InProgress
            return None
        if digest != self.digest:
            raise KeyReused
        return Outcome(status, orjson.loads(answer), is_repeat=True)

    def _keep(self, outcome: Outcome) -> None:
        answer = orjson.dumps(outcome.answer, option=orjson.OPT_UTC_Z).decode()
        send_along(_KEEP, [new_id(), self.actor_id, self.text, self.digest, outcome.status, answer])


_TAKE = """
SELECT is_free, request_digest, status, answer::text
FROM pg_try_advisory_xact_lock(hashtextextended(%s, 0)) AS is_free
LEFT JOIN core_idempotencykey ON actor_id = %s AND key = %s
"""
_KEEP = """
INSERT INTO core_idempotencykey (id, actor_id, key, request_digest, status, answer)
VALUES (%s, %s, %s, %s, %s, %s::jsonb)
"""


@contextmanager
def _told_as_progress() -> Iterator[None]:
    """Who took a key that was let go between their look and their lock starts over."""
    try:
        yield
    except IntegrityError as failure:
        if IdempotencyKey.ONCE in str(failure):
            raise InProgress from failure
        raise


def digest_of(method: str, path: str, body: bytes) -> str:
    """What makes two requests the same request."""
    return sha256(b"\n".join((method.encode(), path.encode(), body))).hexdigest()


@forgets("core.idempotency_keys", "Keys under which clients repeat a request", days=2)
def old_keys(before: datetime) -> Due:
    """Keys that no client comes back with."""
    return Rows(IdempotencyKey.objects.filter(created_at__lt=before))
