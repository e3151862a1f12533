"""What an event looks like outside (sales-system-integrations, Event Message Format).

A message is addressed by topic and name, `sales.leads.lead.created`, and carries in its headers the
aggregate it is about and a sequence that grows with every event of that aggregate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from apps.core.events import EventKind, kind_named
from apps.core.journal import Recorded

SOURCE = "sales-system"
# How the platform itself is run: who signed in, which job began, what came in, where events go.
# Nobody outside hears of that.
KEPT_INSIDE = frozenset({"sales.inbox", "sales.jobs", "sales.users", "sales.webhooks"})

_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True)
class Message:
    """An event on its way out."""

    event_id: str
    name: str
    routing_key: str
    correlation_id: str
    headers: dict[str, Any]
    body: bytes


def leaving(kinds: Iterable[EventKind]) -> tuple[EventKind, ...]:
    """The events of which others hear."""
    return tuple(kind for kind in kinds if kind.topic not in KEPT_INSIDE)


def routing_key(kind: EventKind) -> str:
    """What queues are bound to: `sales.leads.#` for a topic, `#.lead.created` for an event."""
    return f"{kind.topic}.{kind.name}"


def message_of(recorded: Recorded) -> Message:
    """A recorded event as others get it."""
    kind = kind_named(recorded.name)
    return Message(
        event_id=str(recorded.event_id),
        name=kind.name,
        routing_key=routing_key(kind),
        correlation_id=recorded.correlation_id,
        headers={
            "sequence": recorded.sequence,
            "aggregate_id": str(getattr(recorded.event, kind.about)),
        },
        body=_encoder.encode(
            {
                "event_id": recorded.event_id,
                "event_type": kind.name,
                "timestamp": recorded.occurred_at,
                "source": SOURCE,
                "version": kind.version,
                "correlation_id": recorded.correlation_id,
                "user_id": recorded.actor_id,
                "payload": recorded.event,
            }
        ),
    )
