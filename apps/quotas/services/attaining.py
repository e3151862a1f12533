"""Noticing that a quota is attained: told once, the first time."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from uuid import UUID

from django.db import connection

from apps.core.actors import Actor
from apps.core.journal import publish
from apps.quotas.events import QuotaAttained
from apps.quotas.selectors.attainment import ATTAINED

# Whoever notes it first tells it; the row is locked until then.
_NOTE_ATTAINED = f"""
WITH attained AS (
    SELECT t.id, {ATTAINED} AS amount FROM quotas_quota t
    WHERE t.holder_id = ANY(quotas_above(%s::uuid[])) AND t.attained_at IS NULL AND t.amount > 0
      AND t.quota_type = ANY(%s)
      AND EXISTS (SELECT FROM unnest(%s::date[]) AS day WHERE day BETWEEN t.starts_on AND t.ends_on)
)
UPDATE quotas_quota q SET attained_at = now() FROM attained
WHERE q.id = attained.id AND q.attained_at IS NULL AND attained.amount >= q.amount
RETURNING q.id, q.user_id, q.territory_id, q.period, q.quota_type, q.amount, attained.amount,
          q.currency
"""


def tell_attained(
    holder_ids: Collection[UUID | None],
    *,
    types: Collection[str],
    days: Collection[date],
    actor: Actor,
) -> None:
    """Tell which quotas of some people and territories, and of those above them, came to all of
    them just now: those of the types and days that changed."""
    with connection.cursor() as cursor:
        cursor.execute(_NOTE_ATTAINED, [list(holder_ids), list(types), list(days)])
        found = cursor.fetchall()
    names = (
        "quota_id",
        "user_id",
        "territory_id",
        "period",
        "quota_type",
        "amount",
        "attainment_amount",
        "currency",
    )
    publish(*(QuotaAttained(**dict(zip(names, row, strict=True))) for row in found), actor=actor)
