"""What leaves the platform and what it takes in: AsyncAPI 3, from the classes that declare it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import msgspec

from apps.core.events import EventKind, all_kinds
from apps.integrations.models import Partner
from apps.integrations.rules.messages import SOURCE, VERSION, Telling, leaving
from apps.integrations.services.bus import EVENTS
from apps.integrations.services.messages import Envelope, MessageKind, message_kinds
from apps.integrations.services.queues import INBOUND
from apps.integrations.services.telling import TELLINGS

HEADERS = {
    "type": "object",
    "required": ["sequence", "aggregate_id"],
    "properties": {
        "sequence": {
            "type": "integer",
            "description": "Grows with every event of the aggregate; there are gaps.",
        },
        "aggregate_id": {
            "type": "string",
            "format": "uuid",
            "description": "What the event is about. Events of one aggregate come in order.",
        },
    },
}


@dataclass(frozen=True)
class _Leaving:
    """A message on its way out: an event for everybody, or what one partner is told."""

    name: str
    topic: str
    version: str
    payload: type

    @classmethod
    def of(cls, kind: EventKind) -> _Leaving:
        return cls(kind.name, kind.topic, kind.version, kind.event_class)

    @classmethod
    def to_one(cls, telling: Telling) -> _Leaving:
        return cls(telling.name, telling.channel, VERSION, telling.payload)


def describe() -> dict[str, Any]:
    """The AsyncAPI document of everything others can listen to, and of what partners can send."""
    kinds, heard = leaving(all_kinds()), message_kinds()
    described, schemas = msgspec.json.schema_components(
        [
            *(kind.event_class for kind in kinds),
            *(one.payload for one in TELLINGS),
            *(Envelope[kind.payload] for kind in heard),  # type: ignore[name-defined]
        ],
        ref_template="#/components/schemas/{name}",
    )
    leave = [*(_Leaving.of(kind) for kind in kinds), *map(_Leaving.to_one, TELLINGS)]
    payloads, envelopes = described[: len(leave)], described[len(leave) :]
    topics = sorted({one.topic for one in leave})
    senders = [one for one in Partner.Kind.values if any(one in kind.by for kind in heard)]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "salesplatform",
            "version": "1.0.0",
            "description": "What happens in sales; `event_id` tells what comes twice.",
        },
        "defaultContentType": "application/json",
        "channels": {
            topic: _channel(topic, [one for one in leave if one.topic == topic]) for topic in topics
        }
        | {
            f"inbound.{sender}": _inbox(sender, [kind for kind in heard if sender in kind.by])
            for sender in senders
        },
        "operations": {
            f"tell-{topic}": {"action": "send", "channel": {"$ref": f"#/channels/{topic}"}}
            for topic in topics
        }
        | {
            f"hear-{sender}": {
                "action": "receive",
                "channel": {"$ref": f"#/channels/inbound.{sender}"},
            }
            for sender in senders
        },
        "components": {
            "messages": {
                one.name: _message(one, payload)
                for one, payload in zip(leave, payloads, strict=True)
            }
            | {
                f"inbound.{kind.name}": _heard(kind, envelope)
                for kind, envelope in zip(heard, envelopes, strict=True)
            },
            "schemas": {name: _with_numbers(schemas[name]) for name in sorted(schemas)},
        },
    }


def _with_numbers(schema: Any) -> Any:
    """The schema with money as the plain numbers that are written."""
    if schema == {"type": "string", "format": "decimal"}:
        return {"type": "number"}
    if isinstance(schema, dict):
        return {key: _with_numbers(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_with_numbers(value) for value in schema]
    return schema


def _channel(topic: str, messages: list[_Leaving]) -> dict[str, Any]:
    return {
        "address": f"{topic}.{{event}}",
        "description": f"Bind a queue to the exchange `{EVENTS.name}` with `{topic}.#`.",
        "parameters": {"event": {"enum": [one.name for one in messages]}},
        "messages": {one.name: {"$ref": f"#/components/messages/{one.name}"} for one in messages},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": EVENTS.name, "type": EVENTS.type, "durable": True},
            }
        },
    }


def _message(one: _Leaving, payload: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string"}
    identity = {"type": "string", "format": "uuid"}
    envelope = {
        "event_id": identity,
        "event_type": {"const": one.name},
        "timestamp": {"type": "string", "format": "date-time"},
        "source": {"const": SOURCE},
        "version": {"const": one.version},
        "correlation_id": text,
        "user_id": identity,
        "payload": payload,
    }
    return {
        "name": one.name,
        "summary": (inspect.getdoc(one.payload) or "").splitlines()[0],
        "description": f"Routing key `{one.topic}.{one.name}`.",
        "headers": HEADERS,
        "payload": {"type": "object", "required": list(envelope), "properties": envelope},
    }


def _inbox(sender: str, kinds: list[MessageKind]) -> dict[str, Any]:
    return {
        "address": "{partner}.{message}",
        "description": f"What a partner of kind {sender} tells us: published to the exchange "
        f"`{INBOUND.name}` under its key, or as a signed webhook to `/api/v1/inbound/{{partner}}`.",
        "parameters": {
            "partner": {"description": "Its key.", "default": sender},
            "message": {"enum": [kind.name for kind in kinds]},
        },
        "messages": {
            f"inbound.{kind.name}": {"$ref": f"#/components/messages/inbound.{kind.name}"}
            for kind in kinds
        },
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": INBOUND.name, "type": INBOUND.type, "durable": True},
            }
        },
    }


def _heard(kind: MessageKind, envelope: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": kind.name,
        "summary": (inspect.getdoc(kind.payload) or "").splitlines()[0],
        "payload": envelope,
    }
