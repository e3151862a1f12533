"""What an event is: a frozen past-tense dataclass with a wire name and a topic.

    @event("lead.qualified", topic="sales.leads", about="lead_id")
    @dataclass(frozen=True, kw_only=True)
    class LeadQualified:
        lead_id: UUID

Payloads carry everything a listener needs, and never personal data in clear.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

import msgspec

from apps.core.identifiers import new_id

EventClass = TypeVar("EventClass", bound=type)

_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True)
class EventKind:
    """The wire side of an event class."""

    name: str
    topic: str
    version: str
    about: str
    event_class: type
    decoder: msgspec.json.Decoder[Any]


_by_class: dict[type, EventKind] = {}
_by_name: dict[str, EventKind] = {}


def event(
    name: str, *, topic: str, about: str, version: str = "1.0"
) -> Callable[[EventClass], EventClass]:
    """Declare a dataclass to be an event. `about` names the field with its aggregate's id."""

    def register(event_class: EventClass) -> EventClass:
        known = _by_name.get(name)
        if known and known.event_class.__qualname__ != event_class.__qualname__:
            raise ValueError(f"Two events are named {name}.")
        if about not in get_type_hints(event_class):
            raise ValueError(f"{event_class.__name__} has no field {about}.")
        kind = EventKind(
            name=name,
            topic=topic,
            version=version,
            about=about,
            event_class=event_class,
            decoder=msgspec.json.Decoder(event_class),
        )
        _by_class[event_class] = _by_name[name] = kind
        return event_class

    return register


def kind_of(event_class: type) -> EventKind:
    """The wire side of an event class."""
    return _by_class[event_class]


def kind_named(name: str) -> EventKind:
    """The event with this wire name. Raises KeyError."""
    return _by_name[name]


def all_kinds() -> tuple[EventKind, ...]:
    """Every declared event, by name."""
    return tuple(_by_name[name] for name in sorted(_by_name))


def to_payload(happened: object) -> bytes:
    """The event as JSON: money as plain numbers, ids and times as text."""
    return _encoder.encode(happened)


def to_record(happened: object) -> tuple[str, ...]:
    """An event with its wire side: id, name, version, topic, aggregate and payload."""
    kind = kind_of(type(happened))
    about = str(getattr(happened, kind.about))
    payload = to_payload(happened).decode()
    return str(new_id()), kind.name, kind.version, kind.topic, about, payload


def to_records(happened: Sequence[object]) -> str:
    """Events as one JSON document, each with its wire side, in their order."""
    records = []
    for position, one in enumerate(happened):
        kind = kind_of(type(one))
        records.append(
            {
                "position": position,
                "event_id": new_id(),
                "name": kind.name,
                "version": kind.version,
                "topic": kind.topic,
                "aggregate_id": getattr(one, kind.about),
                "payload": msgspec.Raw(to_payload(one)),
            }
        )
    return _encoder.encode(records).decode()


def from_payload(name: str, payload: str | bytes) -> Any:
    """The event that a payload describes."""
    return kind_named(name).decoder.decode(payload)
