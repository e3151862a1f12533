"""A broker, and a relay that leads to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apps.core import journal
from apps.integrations.handlers import listen
from apps.integrations.services.relay import RELAY, the_bus
from tests.integrations.rabbitmq import RabbitMQ, own_rabbitmq


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
