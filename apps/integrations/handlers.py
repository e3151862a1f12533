"""Events that others hear of, and messages of others that came in."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings

from apps.core.actors import system_actor
from apps.core.events import all_kinds
from apps.core.journal import Recorded, on
from apps.integrations.events import MessageReceived, WebhookTargetTested
from apps.integrations.rules.messages import leaving
from apps.integrations.services.deliveries import plan
from apps.integrations.services.inbox import handle_message
from apps.integrations.services.relay import hand_on


# Few at once: they lock what they like, in any order, until the last of them is handled.
@on(MessageReceived, batch=20)
def handle_received(happened: Sequence[Recorded]) -> None:
    """Handle a message of a partner, unless it was handled already."""
    for one in happened:
        actor = system_actor(door="handler", request_id=one.correlation_id)
        handle_message(message_id=one.event.message_id, actor=actor)


def relay_events(happened: Sequence[Recorded]) -> None:
    """Hand events on to RabbitMQ. Receivers know by `event_id` what they hear twice."""
    hand_on(happened)


def listen() -> None:
    """Hear every event that leaves the platform, in the relay's own process."""
    kinds = leaving(all_kinds())
    on(*(kind.event_class for kind in kinds), batch=500, process="relay")(relay_events)


@on(
    *(kind.event_class for kind in leaving(all_kinds())),
    WebhookTargetTested,
    batch=500,
    process="webhooks",
    when_wanted=True,
)
def plan_deliveries(happened: Sequence[Recorded]) -> None:
    """Note what the targets of webhooks want; nobody is told twice."""
    plan(happened)


if settings.AMQP_URL:
    listen()
