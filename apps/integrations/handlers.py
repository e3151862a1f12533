"""Events that others hear of."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings

from apps.core.events import all_kinds
from apps.core.journal import Recorded, on
from apps.integrations.events import WebhookTargetTested
from apps.integrations.rules.messages import leaving
from apps.integrations.services.deliveries import plan
from apps.integrations.services.relay import hand_on


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
