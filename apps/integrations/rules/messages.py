"""What an event looks like outside (sales-system-integrations, Event Message Format).

A message is addressed by topic and name, `sales.leads.lead.created`, and carries in its headers the
aggregate it is about and a sequence that grows with every event of that aggregate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

import msgspec

from apps.core.events import EventKind, kind_named
from apps.core.journal import Recorded

SOURCE = "sales-system"
# Of what partners are told.
VERSION = "1.0"
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

    @property
    def aggregate_id(self) -> str:
        """What it is about."""
        about: str = self.headers["aggregate_id"]
        return about

    @property
    def topic(self) -> str:
        """What its kind of messages is counted under."""
        return self.routing_key.removesuffix(f".{self.name}")


@dataclass(frozen=True)
class Telling:
    """A message for one partner, and the channel it comes by."""

    name: str
    channel: str
    payload: type


def leaving(kinds: Iterable[EventKind]) -> tuple[EventKind, ...]:
    """The events of which others hear."""
    return tuple(kind for kind in kinds if kind.topic not in KEPT_INSIDE)


def routing_key(kind: EventKind) -> str:
    """What queues are bound to: `sales.leads.#` for a topic, `#.lead.created` for an event."""
    return f"{kind.topic}.{kind.name}"


def message_of(recorded: Recorded) -> Message:
    """A recorded event as others get it."""
    kind = kind_named(recorded.name)
    return _message(
        recorded,
        event_id=recorded.event_id,
        name=kind.name,
        key=routing_key(kind),
        version=kind.version,
        payload=recorded.event,
    )


def message_to(telling: Telling, recorded: Recorded, payload: object) -> Message:
    """What one partner is told of a recorded event; sent again, it bears the same id."""
    return _message(
        recorded,
        event_id=uuid5(recorded.event_id, telling.name),
        name=telling.name,
        key=f"{telling.channel}.{telling.name}",
        version=VERSION,
        payload=payload,
    )


def _message(
    recorded: Recorded, *, event_id: UUID, name: str, key: str, version: str, payload: object
) -> Message:
    about = kind_named(recorded.name).about
    return Message(
        event_id=str(event_id),
        name=name,
        routing_key=key,
        correlation_id=recorded.correlation_id,
        headers={
            "sequence": recorded.sequence,
            "aggregate_id": str(getattr(recorded.event, about)),
        },
        body=_encoder.encode(
            {
                "event_id": event_id,
                "event_type": name,
                "timestamp": recorded.occurred_at,
                "source": SOURCE,
                "version": version,
                "correlation_id": recorded.correlation_id,
                "user_id": recorded.actor_id,
                "payload": payload,
            }
        ),
    )
