"""A broker, a relay that leads to it, and a receiver that takes from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Thread

import pytest
from django.db import connection

from apps.core import journal
from apps.integrations.handlers import listen
from apps.integrations.management.receiving import Receiver
from apps.integrations.services.relay import RELAY, the_bus
from tests.integrations.rabbitmq import PATIENCE, RabbitMQ, own_rabbitmq


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """One server for all tests of a process."""
    with own_rabbitmq() as broker:
        yield broker


@pytest.fixture
def relay(rabbitmq: RabbitMQ, settings) -> Iterator[RabbitMQ]:
    """The relay listens, and one queue gets everything about leads."""
    settings.AMQP_URL = rabbitmq.url
    settings.AMQP_QUEUES = {"leads": ["sales.leads.#"]}
    the_bus.cache_clear()
    listen()
    yield rabbitmq
    the_bus().close()
    the_bus.cache_clear()
    journal._subscribers.pop(RELAY)
    for names in journal._listeners.values():
        names[:] = [name for name in names if name != RELAY]
    if not rabbitmq.answers():
        rabbitmq.start()
    rabbitmq.forget(["leads"])


@pytest.fixture
def receiving(rabbitmq: RabbitMQ, transactional_db: None) -> Iterator[Callable[[], RabbitMQ]]:
    """Starts a receiver in a thread of its own, with a connection of its own."""
    receiver = Receiver(rabbitmq.url)

    def run() -> None:
        try:
            receiver.run()
        finally:
            connection.close()

    thread = Thread(target=run)

    def start() -> RabbitMQ:
        thread.start()
        return rabbitmq

    yield start
    receiver.stop()
    if thread.is_alive():
        thread.join(PATIENCE)
    rabbitmq.forget(["inbound.billing", "inbound.marketing", "inbound.support", "inbound.dead"])
