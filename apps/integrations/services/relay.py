"""The relay: the journal's events, handed on to RabbitMQ."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from apps.core.errors import NotFound
from apps.core.events import all_kinds
from apps.core.journal import Recorded, replay_between, replay_chosen, seconds_behind
from apps.core.models import BusinessEvent, EventDelivery
from apps.integrations.metrics import (
    events_relayed,
    events_unroutable,
    relay_dead_letters,
    relay_seconds_behind,
)
from apps.integrations.rules.messages import leaving, message_of
from apps.integrations.services.bus import Bus
from apps.integrations.services.telling import told_of

log = logging.getLogger(__name__)

RELAY = "integrations.relay_events"
LONG_BEHIND_SECONDS = 60


@cache
def the_bus() -> Bus:
    """The broker that AMQP_URL names, with the queues of AMQP_QUEUES."""
    return Bus(settings.AMQP_URL, settings.AMQP_QUEUES)


def hand_on(happened: Sequence[Recorded]) -> None:
    """Publish events in their order, and what single partners are told of them. Raises NotNow.

    A message no queue is bound for is noticed and done with: nobody asked for it, and it can be
    sent again from the journal.
    """
    messages = [*map(message_of, happened), *told_of(happened)]
    unroutable = the_bus().publish(messages)
    astray = [one for one in messages if one.event_id in unroutable]
    for topic, count in Counter(one.topic for one in messages).items():
        events_relayed.labels(topic).inc(count)
    for topic, count in Counter(one.topic for one in astray).items():
        events_unroutable.labels(topic).inc(count)
        log.warning("no queue is bound for %s events of %s", count, topic)


def send_again(
    *,
    since: datetime,
    until: datetime | None = None,
    topics: Collection[str] = (),
    names: Collection[str] = (),
) -> int:
    """Let the relay hand on anew what happened in a span of time, until now if it has no end.

    With topics or names only such events; returns how many. Receivers know by `event_id` what they
    have already. Raises NotFound.
    """
    meant = {
        one.name
        for one in leaving(all_kinds())
        if (not topics or one.topic in topics) and (not names or one.name in names)
    }
    if not meant:
        raise NotFound("No such event leaves the platform.", reason="event_not_found")
    return replay_between(since, until or timezone.now(), names=meant, subscriber=RELAY)


def send_chosen_again(event_ids: Collection[UUID]) -> int:
    """Let the relay hand on these events anew; returns how many there are. Raises NotFound."""
    chosen = BusinessEvent.objects.filter(event_id__in=event_ids)
    return len(replay_chosen(chosen.values_list("sequence", flat=True), subscriber=RELAY))


def measure() -> None:
    """Tell how far behind the relay is, and what it gave up."""
    relay_seconds_behind.set(seconds_behind(RELAY))
    dead = EventDelivery.objects.filter(subscriber=RELAY, dead_at__isnull=False)
    relay_dead_letters.set(dead.count())


def check_relay() -> None:
    """Raises TimeoutError when events have waited too long to be handed on."""
    if seconds_behind(RELAY) > LONG_BEHIND_SECONDS:
        raise TimeoutError
