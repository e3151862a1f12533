"""The receiver and RabbitMQ killed with -9 at work: no message is lost, none counts twice."""

from __future__ import annotations

import json
import os
import signal

import pytest
from kombu import Connection, Producer

from apps.integrations.services.queues import INBOUND, queue_of
from salesplatform.embedded.services import Services
from tests.embedded.conftest import _own_environment, folder, programs, services  # noqa: F401
from tests.faults.test_servers_killed import Platform, _count
from tests.integrations.rabbitmq import own_rabbitmq

MESSAGES = 2_000
DEALS = 20
SET_UP = f"""
from datetime import date
from tests.factories.integrations import make_partner
from tests.factories.opportunities import make_deal
make_partner("billing")
terms = dict(contract_term=12, start_date=date(2026, 3, 1), payment_terms="net_30",
             billing_frequency="monthly")
for _ in range({DEALS}):
    print(make_deal(stage="closed_won", amount=100, **terms).pk)
"""
INBOX = "integrations_inboundmessage"


def told(number: int, deals: list[str]) -> bytes:
    """Each deal's contract is told of a hundred times, in messages of their own."""
    deal = deals[number % DEALS]
    return json.dumps(
        {
            "event_id": f"message-{number}",
            "event_type": "contract.created",
            "timestamp": "2026-02-11T08:00:00Z",
            "payload": {"opportunity_id": deal, "contract_id": f"C-{deal}"},
        }
    ).encode()


def test_kills_of_receiver_and_broker_lose_nothing_and_repeat_nothing(
    services: Services,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with own_rabbitmq() as broker:
        monkeypatch.setenv("AMQP_URL", broker.url)
        platform = Platform(services)
        platform.command("migrate", "-v0")
        deals = platform.output("shell", "-v0", "-c", SET_UP).split()
        assert len(deals) == DEALS
        with Connection(broker.url, transport_options={"confirm_publish": True}) as opened:
            channel = opened.channel()
            INBOUND(channel).declare()
            queue_of("billing")(channel).declare()
            producer = Producer(channel, INBOUND)
            broker.settle()
            for number in range(MESSAGES):
                producer.publish(
                    told(number, deals), routing_key="billing", delivery_mode=2, mandatory=True
                )
        url = services.environment["DATABASE_URL"]

        def kept() -> int:
            return _count(url, INBOX)

        with platform.process("manage.py", "receive") as one:
            platform.wait_until(lambda: kept() > 100)
            os.kill(one.pid, signal.SIGKILL)
        assert kept() < MESSAGES
        with platform.process("manage.py", "receive"):
            platform.wait_until(lambda: kept() > 500)
            broker.kill()
            assert kept() < MESSAGES
            broker.start()
            platform.wait_until(lambda: kept() == MESSAGES)
        with platform.process("manage.py", "deliver_events") as one:
            handled = f"{INBOX} WHERE status = 'handled'"
            platform.wait_until(lambda: _count(url, handled) > 100)
            os.kill(one.pid, signal.SIGKILL)
        with platform.process("manage.py", "deliver_events"):
            for share in range(MESSAGES // 4, MESSAGES + 1, MESSAGES // 4):
                platform.wait_until(lambda share=share: _count(url, handled) >= share)

    assert kept() == MESSAGES
    assert _count(url, f"{INBOX} WHERE status <> 'handled' OR attempts <> 1") == 0
    assert _count(url, "contracts_contract WHERE status = 'acknowledged'") == DEALS
    assert _count(url, "core_businessevent WHERE name = 'contract.acknowledged'") == DEALS
