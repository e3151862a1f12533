"""Relay, RabbitMQ, PostgreSQL and a handler killed with -9 at work: no event is lost or out of its
order, effects happen once, and what is handed on twice is few."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter, defaultdict

import psycopg
import pytest

from apps.integrations.services.bus import Bus
from salesplatform.embedded.services import Services
from tests.embedded.conftest import _own_environment, folder, programs, services  # noqa: F401
from tests.faults.test_servers_killed import Platform, _count, _kill_and_restart
from tests.integrations.rabbitmq import own_rabbitmq

RECORDS, ROUNDS = 2_000, 50
BATCH = 500
QUEUES = {"counts": ["sales.faults.#"]}
TELL = f"""
from django.db import transaction
from apps.core.actors import system_actor
from apps.core.identifiers import new_id
from apps.core.journal import publish
from tests.faults.events import RecordCounted
records = [new_id() for _ in range({RECORDS})]
for number in range({ROUNDS}):
    with transaction.atomic():
        publish(*(RecordCounted(record_id=one, number=number) for one in records),
                actor=system_actor())
"""
TO_RELAY = "core_eventdelivery WHERE subscriber = 'integrations.relay_events'"
TO_HEAR = "core_eventdelivery WHERE subscriber = 'tests.faults.note_count'"
IN_ORDER = list(range(ROUNDS))


def test_a_hundred_thousand_events_outlive_every_kill(
    services: Services,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    total = RECORDS * ROUNDS
    with own_rabbitmq() as broker:
        monkeypatch.setenv("AMQP_URL", broker.url)
        monkeypatch.setenv("AMQP_QUEUES", json.dumps(QUEUES))
        platform = Platform(services)
        platform.command("migrate", "-v0")
        bus = Bus(broker.url, QUEUES)
        bus.publish([])
        bus.close()
        broker.settle()
        url = services.environment["DATABASE_URL"]
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE counted (place bigserial, record_id uuid, number int)")
        platform.command("shell", "-c", TELL)

        def left(share: float, of: str = TO_RELAY) -> bool:
            return _count(url, of) <= total * share

        assert (_count(url, TO_RELAY), _count(url, TO_HEAR)) == (total, total)
        with (
            platform.process("manage.py", "relay"),
            platform.process("manage.py", "relay") as relay,
        ):
            with platform.process("manage.py", "deliver_events") as deliverer:
                platform.wait_until(lambda: left(0.95) and left(0.95, of=TO_HEAR))
                os.kill(relay.pid, signal.SIGKILL)
                os.kill(deliverer.pid, signal.SIGKILL)
            with platform.process("manage.py", "deliver_events"):
                at_kill = _count(url, TO_HEAR)
                assert at_kill > 0
                platform.wait_until(lambda: _count(url, TO_HEAR) < at_kill)
                _kill_and_restart(services.postgres)
                assert not left(0)
                broker.kill()
                assert not left(0)
                broker.start()
                platform.wait_until(lambda: left(0) and left(0, of=TO_HEAR))
        messages = broker.take("counts")
        with psycopg.connect(url) as connection:
            effects = connection.execute("SELECT record_id, number FROM counted ORDER BY place")
            heard = _numbers(effects.fetchall())

    assert len(heard) == RECORDS
    assert all(numbers == IN_ORDER for numbers in heard.values())

    arrived = Counter(message.properties["message_id"] for message in messages)
    assert len(arrived) == total
    # Each of three kills cost at most the batch that a relay had under way.
    assert arrived.total() - total <= 3 * BATCH
    firsts = {}
    for message in messages:
        firsts.setdefault(message.properties["message_id"], message)
    payloads = [json.loads(one.body)["payload"] for one in firsts.values()]
    relayed = _numbers((one["record_id"], one["number"]) for one in payloads)
    assert len(relayed) == RECORDS
    assert all(numbers == IN_ORDER for numbers in relayed.values())


def _numbers(pairs):
    found = defaultdict(list)
    for record_id, number in pairs:
        found[record_id].append(number)
    return found
