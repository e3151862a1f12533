"""What leaves the platform, described for those who listen: AsyncAPI 3, from the event classes."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from apps.core.events import EventKind, all_kinds
from apps.integrations.rules.messages import SOURCE, leaving, routing_key
from apps.integrations.services.bus import EVENTS

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


def describe() -> dict[str, Any]:
    """The AsyncAPI document of everything others can listen to."""
    kinds = leaving(all_kinds())
    payloads, schemas = msgspec.json.schema_components(
        [kind.event_class for kind in kinds], ref_template="#/components/schemas/{name}"
    )
    topics = sorted({kind.topic for kind in kinds})
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "salesplatform",
            "version": "1.0.0",
            "description": "What happens in sales; `event_id` tells what comes twice.",
        },
        "defaultContentType": "application/json",
        "channels": {
            topic: _channel(topic, [kind for kind in kinds if kind.topic == topic])
            for topic in topics
        },
        "operations": {
            f"tell-{topic}": {"action": "send", "channel": {"$ref": f"#/channels/{topic}"}}
            for topic in topics
        },
        "components": {
            "messages": {
                kind.name: _message(kind, payload)
                for kind, payload in zip(kinds, payloads, strict=True)
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


def _channel(topic: str, kinds: list[EventKind]) -> dict[str, Any]:
    return {
        "address": f"{topic}.{{event}}",
        "description": f"Bind a queue to the exchange `{EVENTS.name}` with `{topic}.#`.",
        "parameters": {"event": {"enum": [kind.name for kind in kinds]}},
        "messages": {kind.name: {"$ref": f"#/components/messages/{kind.name}"} for kind in kinds},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": EVENTS.name, "type": EVENTS.type, "durable": True},
            }
        },
    }


def _message(kind: EventKind, payload: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string"}
    identity = {"type": "string", "format": "uuid"}
    envelope = {
        "event_id": identity,
        "event_type": {"const": kind.name},
        "timestamp": {"type": "string", "format": "date-time"},
        "source": {"const": SOURCE},
        "version": {"const": kind.version},
        "correlation_id": text,
        "user_id": identity,
        "payload": payload,
    }
    return {
        "name": kind.name,
        "summary": (inspect.getdoc(kind.event_class) or "").splitlines()[0],
        "description": f"Routing key `{routing_key(kind)}`.",
        "headers": HEADERS,
        "payload": {"type": "object", "required": list(envelope), "properties": envelope},
    }
