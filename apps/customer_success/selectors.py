"""Answers about how customers fare."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from apps.accounts.models import Account
from apps.core.actors import Actor
from apps.core.database import prepared_cursor
from apps.core.errors import NotFound
from apps.core.permissions import require
from apps.customer_success.models import Measure
from apps.customer_success.permissions import READ_CUSTOMER
from apps.customer_success.rules import Standing


def measure_of(*, account_id: UUID, kind: str, actor: Actor) -> Measure | None:
    """What is said of an account in numbers; None where nobody said anything.

    Raises NotAllowed, NotFound.
    """
    require(actor, READ_CUSTOMER)
    if Account.objects.one_visible_to(actor, account_id) is None:
        raise NotFound
    found: Measure | None = Measure.objects.filter(account_id=account_id, kind=kind).first()
    return found


_STANDINGS = """
SELECT a.id, m.score, m.previous_score,
       (SELECT count(*) FROM customer_success_case c
        WHERE c.account_id = a.id AND c.kind = 'ticket' AND c.severity = 'critical'
          AND c.ended_at IS NULL)
FROM unnest(%s::uuid[]) AS a(id)
LEFT JOIN customer_success_measure m ON m.account_id = a.id AND m.kind = 'health'
"""


def standings_of(account_ids: Collection[UUID]) -> dict[UUID, Standing]:
    """How customers fare, whoever may see them."""
    if not account_ids:
        return {}
    with prepared_cursor() as cursor:
        cursor.execute(_STANDINGS, [list(account_ids)])
        return {account_id: Standing(*facts) for account_id, *facts in cursor.fetchall()}
