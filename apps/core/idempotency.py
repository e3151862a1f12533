"""Idempotency keys: the same POST under the same key happens once.

The key is claimed in a transaction of its own, before the work. A success is stored inside the
transaction of the work, so the two can't come apart; a final refusal after the rollback; anything
else gives the key back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.core.errors import Conflict
from apps.core.identifiers import new_id
from apps.core.models import IdempotencyKey
from apps.core.retention import Due, Rows, forgets

CLAIM_LASTS = timedelta(seconds=15)


class InProgress(Conflict):
    """Another request with this key is still being worked on."""

    reason = "idempotency_key_in_progress"
    message = "A request with this Idempotency-Key is still in progress."


class KeyReused(Conflict):
    """The key was used for a different request."""

    reason = "idempotency_key_reused"
    message = "This Idempotency-Key was used for a different request."


@dataclass(frozen=True)
class Claim:
    """A key in hand, until a moment; whoever claims it after that makes this claim void."""

    id: UUID
    until: datetime


@dataclass(frozen=True)
class Outcome:
    """How the first request under a key ended."""

    status: int
    answer: Any


def digest_of(method: str, path: str, body: bytes) -> str:
    """What makes two requests the same request."""
    return sha256(b"\n".join((method.encode(), path.encode(), body))).hexdigest()


_CLAIM = """
INSERT INTO core_idempotencykey (id, actor_id, key, request_digest, claimed_until)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (actor_id, key) DO UPDATE SET claimed_until = excluded.claimed_until
WHERE core_idempotencykey.status IS NULL AND core_idempotencykey.claimed_until < now()
  AND core_idempotencykey.request_digest = excluded.request_digest
RETURNING id, claimed_until
"""


def claim(*, actor_id: UUID, key: str, digest: str) -> Claim | Outcome:
    """Claim a key for a request: the claim, or how the first request ended.

    Raises:
        InProgress: the first request has not ended.
        KeyReused: the key belongs to a different request.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [new_id(), actor_id, key, digest, timezone.now() + CLAIM_LASTS])
        if row := cursor.fetchone():
            return Claim(*row)
    known = IdempotencyKey.objects.filter(actor_id=actor_id, key=key).first()
    if known is None:
        raise InProgress
    if known.request_digest != digest:
        raise KeyReused
    if known.status is None:
        raise InProgress
    return Outcome(known.status, known.answer)


def store(*, claim: Claim, status: int, answer: Any) -> None:
    """Keep how a request ended. In the transaction of its work.

    Raises InProgress when the claim ran out and somebody else took it: the work is undone.
    """
    own = IdempotencyKey.objects.filter(pk=claim.id, claimed_until=claim.until, status=None)
    if not own.update(status=status, answer=answer):
        raise InProgress


def give_back(*, claim: Claim) -> None:
    """Free a key whose request neither succeeded nor was refused for good."""
    IdempotencyKey.objects.filter(pk=claim.id, claimed_until=claim.until, status=None).delete()


@forgets("core.idempotency_keys", "Keys under which clients repeat a request", days=2)
def old_keys(before: datetime) -> Due:
    """Keys that no client comes back with."""
    return Rows(IdempotencyKey.objects.filter(created_at__lt=before))
