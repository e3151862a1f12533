"""What the inbox holds of people: what partners said about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q

from apps.core.personal_data import Holding, holds
from apps.integrations.models import InboundMessage


def _left_undone(row: Any) -> None:
    """What was not handled yet never will be."""
    if row.status == InboundMessage.Status.RECEIVED:
        row.status, row.due_at = InboundMessage.Status.REFUSED, None
        row.reason = "person_erased: The person was erased before this was handled."


def _idle(before: datetime) -> Q:
    """What came in before a moment."""
    return Q(created_at__lt=before)


INBOUND_PEOPLE = holds(
    Holding(
        "inbound_messages",
        InboundMessage,
        emptied={},
        settle=_left_undone,
        settled=("status", "due_at", "reason"),
        idle=_idle,
    )
)
