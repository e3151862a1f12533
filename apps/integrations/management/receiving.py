"""The receiver: what partners put into RabbitMQ, taken into the inbox.

A message is acknowledged once its row is committed: whoever is killed in between gets it again, and
the inbox knows it. While PostgreSQL is away nothing is taken from the broker.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from amqp.exceptions import AMQPError
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, connection
from kombu import Connection, Consumer
from kombu.exceptions import KombuError
from kombu.message import Message

from apps.core.actors import become
from apps.core.errors import NotAllowed
from apps.integrations.models import Partner
from apps.integrations.services.inbox import take_delivery
from apps.integrations.services.queues import DEAD, DEAD_QUEUE, INBOUND, queue_of

log = logging.getLogger(__name__)

AT_HAND = 50
CONNECT_SECONDS = 3
HEARTBEAT_SECONDS = 10
LOOK_FOR_PARTNERS_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 5.0
BROKEN = (OSError, AMQPError, KombuError, AttributeError)


class Receiver:
    """Takes messages from the queues of all partners that are not paused, until it is stopped."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pause = 0.0
        self.stopping = False

    def run(self) -> None:
        """Receive; whatever goes away, come back to it."""
        while not self.stopping:
            try:
                connection.close_if_unusable_or_obsolete()
                connection.ensure_connection()
                self._receive(partners_by_key())
            except (*BROKEN, OperationalError, InterfaceError) as failure:
                # py-amqp answers with an AttributeError where a connection breaks under its hands.
                connection.close()
                self._pause = min(max(self._pause * 2, 0.25), LONGEST_PAUSE_SECONDS)
                log.warning("%s; receiving again in %g s", failure, self._pause)
                time.sleep(self._pause)

    def stop(self, *_: Any) -> None:
        """Finish the message at hand, then end."""
        self.stopping = True

    def _receive(self, partners: Mapping[str, Partner]) -> None:
        """Receive until somebody joins, pauses or resumes."""
        with Connection(
            self._url, connect_timeout=CONNECT_SECONDS, heartbeat=HEARTBEAT_SECONDS
        ) as broker:
            channel: Any = broker.channel()
            channel.basic_qos(0, AT_HAND, False)
            declared: tuple[Any, ...] = (INBOUND, DEAD, DEAD_QUEUE, *map(queue_of, partners))
            for one in declared:
                one(channel).declare()
            consumers = [
                Consumer(channel, [queue_of(key)], on_message=self._taker(partner))
                for key, partner in partners.items()
            ]
            for consumer in consumers:
                consumer.consume()
            self._pause = 0.0
            log.info("receiving from %s", ", ".join(partners) or "nobody")
            self._drain(broker, set(partners))

    def _drain(self, broker: Connection, keys: set[str]) -> None:
        look_at = time.monotonic() + LOOK_FOR_PARTNERS_SECONDS
        while not self.stopping:
            try:
                broker.drain_events(timeout=1)
            except TimeoutError:
                broker.heartbeat_check()
            if time.monotonic() > look_at:
                if set(partners_by_key()) != keys:
                    return
                look_at = time.monotonic() + LOOK_FOR_PARTNERS_SECONDS

    def _taker(self, partner: Partner) -> Any:
        def take(message: Message) -> None:
            try:
                take_delivery(
                    partner=partner,
                    body=_bytes_of(message.body),
                    message_id=str(message.properties.get("message_id") or ""),
                    actor=become(partner.client_id, door="inbound"),
                )
            except (DataError, IntegrityError, NotAllowed) as failure:
                log.warning("a message of %s can't be kept: %s", partner.key, failure)
                message.reject()
            else:
                message.ack()

        return take


def _bytes_of(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body)


def partners_by_key() -> dict[str, Partner]:
    """Whoever is not paused, by key."""
    found = Partner.objects.filter(paused_at=None).select_related("client").order_by("key")
    return {one.key: one for one in found}
