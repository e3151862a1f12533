"""Events on their way to RabbitMQ, beside what kombu alone manages (`-m benchmarks.bus PID`).

The broker that AMQP_URL names runs on this machine, as PID. What is compared was measured in the
same run: messages of the same size, batches as large, the same exchange, a quorum queue, and a
confirmation waited for.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from uuid import UUID

import django
from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from kombu import Connection, Producer

from benchmarks.databases import ROOT
from benchmarks.processes import cpu_seconds, descendants

django.setup()

from apps.core.actors import system_actor  # noqa: E402
from apps.core.identifiers import new_id  # noqa: E402
from apps.core.journal import publish, read_again  # noqa: E402
from apps.core.models import BusinessEvent, EventDelivery  # noqa: E402
from apps.integrations.rules.messages import message_of  # noqa: E402
from apps.integrations.services.bus import EVENTS, PERSISTENT  # noqa: E402
from apps.integrations.services.relay import RELAY, the_bus  # noqa: E402
from apps.leads.events import LeadUpdated  # noqa: E402

COUNT = 40_000
LEADS = 4_000
BATCH = 500
CHANGES = 500
LOOK_EVERY = 0.05
ACTOR = system_actor(door="benchmark")
LEFT = EventDelivery.objects.filter(subscriber=RELAY)


def main(broker: int) -> None:
    try:
        print("; ".join(figures(broker)))
    finally:
        take_back()


def figures(broker: int) -> Iterator[str]:
    """What was measured, one part after the other. The queue takes in all of it."""
    the_bus().publish([])
    publish_events(1)
    body = b"x" * len(a_message())
    take_back()
    alone = published_by_kombu(1, body)
    both = published_by_kombu(2, body)
    yield f"kombu publishes {alone:,.0f}/s on one connection, {both:,.0f}/s on two"
    for relays, ceiling in ((1, alone), (2, both)):
        publish_events(COUNT)
        rate, relaying, taking = drained_by(relays, broker)
        yield (
            f"{relays} relaying {rate:,.0f}/s ({rate / ceiling:.2f} of kombu), CPU of an event "
            f"{relaying:.0f} µs relaying and {taking:.0f} µs in the broker"
        )
        take_back()
    added, question = added_by_an_event(), taken_by_a_question()
    yield f"an event adds {added:.2f} ms to a change; a question takes {question:.2f} ms"


def publish_events(count: int) -> None:
    """Leave so many events for the relay alone."""
    leads = [new_id() for _ in range(LEADS)]
    for start in range(0, count, BATCH):
        batch = range(start, min(start + BATCH, count))
        with transaction.atomic():
            publish(*(lead_updated(leads[number % LEADS]) for number in batch), actor=ACTOR)
    EventDelivery.objects.exclude(subscriber=RELAY).delete()


def lead_updated(lead_id: UUID) -> LeadUpdated:
    """What the messages are about."""
    return LeadUpdated(lead_id=lead_id, changed=("company", "title"))


def a_message() -> bytes:
    """One of the events, as it goes out."""
    waiting = LEFT.get()
    told = read_again([(waiting.event_sequence, waiting.occurred_at)])
    return message_of(told[waiting.event_sequence]).body


def take_back() -> None:
    """Leave the database as large as it was."""
    LEFT.delete()
    BusinessEvent.objects.filter(door=ACTOR.door).delete()


def published_by_kombu(connections: int, body: bytes) -> float:
    """Messages a second that kombu publishes and sees confirmed, without any of the platform."""
    each = COUNT // connections
    with get_context("spawn").Pool(connections) as pool:
        spent = pool.starmap(kombu_seconds, [(settings.AMQP_URL, body, each)] * connections)
    return COUNT / max(spent)


def kombu_seconds(url: str, body: bytes, count: int) -> float:
    """How long a connection takes to publish so many messages, batch by batch."""
    unconfirmed: set[int] = set()

    def confirm(tag: int, up_to: bool) -> None:
        unconfirmed.difference_update(range(1, tag + 1) if up_to else (tag,))

    with Connection(url) as broker:
        channel = broker.channel()
        channel.confirm_select()
        channel.events["basic_ack"].add(confirm)
        producer = Producer(channel, EVENTS, auto_declare=False)
        began = time.perf_counter()
        for start in range(0, count, BATCH):
            for number in range(start, start + BATCH):
                unconfirmed.add(number + 1)
                producer.publish(
                    body, routing_key="benchmark", mandatory=True, delivery_mode=PERSISTENT
                )
            while unconfirmed:
                broker.drain_events(timeout=60)
        return time.perf_counter() - began


def drained_by(relays: int, broker: int) -> tuple[float, float, float]:
    """Events a second that relays hand on; and µs of CPU per event, theirs and the broker's."""
    with ExitStack() as stack:
        pids = [stack.enter_context(relay()) for _ in range(relays)]
        while (before := LEFT.count()) == COUNT:
            time.sleep(LOOK_EVERY)
        began = time.perf_counter()
        spent = [cpu_of(pids), cpu_of([broker])]
        while LEFT.exists():
            time.sleep(LOOK_EVERY)
        seconds = time.perf_counter() - began
        relaying, taking = cpu_of(pids) - spent[0], cpu_of([broker]) - spent[1]
    return before / seconds, relaying / before * 1e6, taking / before * 1e6


@contextmanager
def relay() -> Iterator[int]:
    """A relay at work."""
    process = subprocess.Popen([sys.executable, "manage.py", "relay"], cwd=ROOT)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def cpu_of(pids: list[int]) -> float:
    """CPU seconds of processes and all they started."""
    return sum(cpu_seconds(one) for pid in pids for one in descendants(pid))


def added_by_an_event() -> float:
    """Milliseconds by which a small change takes longer when it tells of itself, at the median.

    With and without take turns, so that what else the machine does strikes both.
    """
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE benchmark_change (number int)")
        cursor.execute("INSERT INTO benchmark_change VALUES (0)")
    try:
        pairs = [(changed(telling=True), changed(telling=False)) for _ in range(CHANGES)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE benchmark_change")
    return statistics.median(told - silent for told, silent in pairs) * 1e3


def taken_by_a_question() -> float:
    """Milliseconds of a question that the server knows the answer to, at the median."""
    with connection.cursor() as cursor:
        return statistics.median(asked(cursor) for _ in range(CHANGES)) * 1e3


def asked(cursor: CursorWrapper) -> float:
    """Seconds until it is answered."""
    began = time.perf_counter()
    cursor.execute("SELECT 1")
    return time.perf_counter() - began


def changed(*, telling: bool) -> float:
    """Seconds of a change of one row."""
    began = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE benchmark_change SET number = number + 1")
        if telling:
            publish(lead_updated(new_id()), actor=ACTOR)
    return time.perf_counter() - began


if __name__ == "__main__":
    main(int(sys.argv[1]))
