"""RabbitMQ, as the platform speaks to it: exchanges, queues, and batches that are confirmed.

    sales        topic exchange; whoever listens binds a queue to it
    sales.dead   where the queues of AMQP_QUEUES put what their consumers reject, in a queue of
                 the same name

A batch goes out in one breath and is waited for once: a confirmation for each message in turn costs
five times as much. Only a second message of an aggregate waits for the first, so that it never
overtakes one that the broker refuses.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from amqp.exceptions import AMQPError, PreconditionFailed
from kombu import Connection, Exchange, Producer, Queue
from kombu.exceptions import KombuError

from apps.core.journal import NotNow
from apps.integrations.rules.messages import SOURCE, Message

log = logging.getLogger(__name__)

EVENTS = Exchange("sales", type="topic", durable=True)
DEAD = Exchange("sales.dead", type="topic", durable=True)
DEAD_QUEUE = Queue(
    "sales.dead", DEAD, routing_key="#", durable=True, queue_arguments={"x-queue-type": "quorum"}
)
# A message that was handed out so often in vain is dead.
DELIVERY_LIMIT = 10
PERSISTENT = 2
CONNECT_SECONDS = 3
# A broker without memory or disk takes messages and stays silent.
CONFIRM_SECONDS = 10


def queue_named(name: str) -> Queue:
    """A queue that survives its broker."""
    return Queue(
        name,
        durable=True,
        queue_arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": DEAD.name,
        },
    )


class Bus:
    """One connection to the broker, made when it is needed and made anew when it is lost."""

    def __init__(self, url: str, queues: Mapping[str, Sequence[str]]) -> None:
        self._connection = Connection(
            url,
            connect_timeout=CONNECT_SECONDS,
            transport_options={"read_timeout": CONFIRM_SECONDS, "write_timeout": CONFIRM_SECONDS},
        )
        self._queues = queues
        self._producer: Producer | None = None
        self._published = 0
        self._under_way: dict[int, str] = {}  # what each message is about, by its number
        self._awaited: set[str] = set()
        self._refused = 0
        self._returned: set[str] = set()

    def publish(self, messages: Sequence[Message]) -> set[str]:
        """Hand a batch to the broker, and wait until it has it.

        Returns the ids of events no queue is bound for. Raises NotNow when the broker is away or
        can't take them; some of them may have arrived then.
        """
        with self._broker_may_be_away():
            producer = self._producer or self._open()
            self._under_way.clear()
            self._awaited.clear()
            self._returned.clear()
            self._refused = 0
            for message in messages:
                while message.aggregate_id in self._awaited:
                    self._hear()
                if self._refused:
                    break
                self._published += 1
                self._under_way[self._published] = message.aggregate_id
                self._awaited.add(message.aggregate_id)
                self._send(producer, message)
            while self._under_way:
                self._hear()
            if self._refused:
                raise NotNow(f"The broker refused {self._refused} events")
        return set(self._returned)

    def _send(self, producer: Producer, message: Message) -> None:
        producer.publish(
            message.body,
            routing_key=message.routing_key,
            mandatory=True,
            delivery_mode=PERSISTENT,
            content_type="application/json",
            content_encoding="utf-8",
            headers=message.headers,
            message_id=message.event_id,
            type=message.name,
            app_id=SOURCE,
            correlation_id=message.correlation_id,
        )

    def _hear(self) -> None:
        self._connection.drain_events(timeout=CONFIRM_SECONDS)

    def close(self) -> None:
        """Let go of the connection; the next batch makes another."""
        self._producer = None
        self._connection.close()

    @contextmanager
    def _broker_may_be_away(self) -> Iterator[None]:
        try:
            yield
        except PreconditionFailed:
            self._drop()
            raise
        except (OSError, AMQPError, KombuError, AttributeError) as failure:
            # py-amqp answers with an AttributeError where a connection breaks under its hands.
            self._drop()
            raise NotNow(f"The broker is away ({type(failure).__name__}: {failure})") from failure

    def _drop(self) -> None:
        self._producer = None
        self._connection.collect()

    def _open(self) -> Producer:
        """Connect, and make sure of all that messages pass through."""
        self._connection.connect()
        channel: Any = self._connection.channel()
        for declared in (EVENTS, DEAD, DEAD_QUEUE):
            declared(channel).declare()
        for name, bindings in self._queues.items():
            queue = queue_named(name)(channel)
            queue.queue_declare()
            for key in bindings:
                queue.bind_to(EVENTS, routing_key=key)
        channel.confirm_select()
        channel.events["basic_ack"].add(self._confirm)
        channel.events["basic_nack"].add(self._refuse)
        self._published = 0
        self._producer = Producer(channel, EVENTS, on_return=self._give_back, auto_declare=False)
        log.info("connected to the broker")
        return self._producer

    def _confirm(self, tag: int, up_to: bool) -> None:
        self._settle(tag, up_to)

    def _refuse(self, tag: int, up_to: bool) -> None:
        self._refused += self._settle(tag, up_to)

    def _settle(self, tag: int, up_to: bool) -> int:
        """The messages that are under way no longer; returns how many."""
        meant = self._under_way if up_to else (tag,)
        settled = [one for one in meant if one <= tag and one in self._under_way]
        for one in settled:
            self._awaited.discard(self._under_way.pop(one))
        return len(settled)

    def _give_back(self, _error: Exception, _exchange: Any, _key: str, message: Any) -> None:
        self._returned.add(message.properties["message_id"])
