"""The relay and RabbitMQ killed with -9 at work: no event is lost, and what comes twice is few."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter, defaultdict

import pytest

from apps.integrations.services.bus import Bus
from salesplatform.embedded.services import Services
from tests.embedded.conftest import _own_environment, folder, programs, services  # noqa: F401
from tests.faults.test_servers_killed import Platform, _count
from tests.integrations.rabbitmq import own_rabbitmq

LEADS, ROUNDS = 200, 50
BATCH = 500
QUEUES = {"leads": ["sales.leads.#"]}
TELL = f"""
from django.db import transaction
from apps.core.actors import system_actor
from apps.core.identifiers import new_id
from apps.core.journal import publish
from apps.leads.events import LeadUpdated
leads = [new_id() for _ in range({LEADS})]
for number in range({ROUNDS}):
    with transaction.atomic():
        publish(*(LeadUpdated(lead_id=one, changed=(str(number),)) for one in leads),
                actor=system_actor())
"""
WAITING = "core_eventdelivery WHERE subscriber = 'integrations.relay_events'"


def test_kills_of_relay_and_broker_lose_nothing(
    services: Services,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    total = LEADS * ROUNDS
    with own_rabbitmq() as broker:
        monkeypatch.setenv("AMQP_URL", broker.url)
        monkeypatch.setenv("AMQP_QUEUES", json.dumps(QUEUES))
        platform = Platform(services)
        platform.command("migrate", "-v0")
        bus = Bus(broker.url, QUEUES)
        bus.publish([])
        bus.close()
        broker.settle()
        platform.command("shell", "-c", TELL)
        url = services.environment["DATABASE_URL"]

        def left() -> int:
            return _count(url, WAITING)

        assert left() == total
        with platform.process("manage.py", "relay"), platform.process("manage.py", "relay") as one:
            platform.wait_until(lambda: left() < total)
            os.kill(one.pid, signal.SIGKILL)
            assert left() > 0
            broker.kill()
            assert left() > 0
            broker.start()
            platform.wait_until(lambda: left() == 0)
        messages = broker.take("leads")

    arrived = Counter(message.properties["message_id"] for message in messages)
    assert len(arrived) == total
    # Each kill cost at most the batches that were under way, one a relay.
    assert arrived.total() - total <= 3 * BATCH
    heard = defaultdict(list)
    for message in messages:
        payload = json.loads(message.body)["payload"]
        number = int(payload["changed"][0])
        if number not in heard[payload["lead_id"]]:
            heard[payload["lead_id"]].append(number)
    assert len(heard) == LEADS
    assert all(numbers == list(range(ROUNDS)) for numbers in heard.values())
