"""The receiver on a real RabbitMQ: what partners put into their queues lies in the inbox."""

from __future__ import annotations

import time
from threading import Thread

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from kombu import Connection, Producer

from apps.core.identifiers import new_id
from apps.integrations.management.receiving import Receiver
from apps.integrations.models import InboundMessage
from apps.integrations.services.partners import pause_partner
from apps.integrations.services.queues import INBOUND
from apps.users.models import User
from tests.factories.integrations import make_partner, message

PATIENCE = 30.0


def sale(**envelope):
    payload = {"opportunity_id": str(new_id()), "contract_id": "C-1"}
    return message("contract.created", payload, **envelope)


def put(broker, *bodies, key="billing.contract.created", **properties):
    with Connection(broker.url) as opened:
        producer = Producer(opened.channel(), INBOUND)
        for body in bodies:
            producer.publish(body, routing_key=key, content_type="application/json", **properties)


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


@pytest.fixture
def receiving(rabbitmq, transactional_db):
    """Starts a receiver in a thread of its own, with a connection of its own."""
    receiver = Receiver(rabbitmq.url)

    def run():
        try:
            receiver.run()
        finally:
            connection.close()

    thread = Thread(target=run)

    def start():
        thread.start()
        return rabbitmq

    yield start
    receiver.stop()
    if thread.is_alive():
        thread.join(PATIENCE)
    rabbitmq.forget(["inbound.billing", "inbound.support", "inbound.dead"])


def listened_to(rabbitmq, queue):
    """Whether a receiver takes from it; before that, it is perhaps not bound to its exchange."""
    with Connection(rabbitmq.url) as opened:
        try:
            return opened.default_channel.queue_declare(queue, passive=True).consumer_count == 1
        except opened.channel_errors:
            return False


def test_what_a_partner_puts_into_its_queue_lies_in_the_inbox(receiving):
    known = make_partner("billing")
    broker = receiving()
    wait_until(lambda: listened_to(broker, "inbound.billing"))
    once = sale(event_id="evt-1", source="billing")
    put(broker, once, once, sale(event_id="evt-2"), b"{", sale(source="marketing"))
    wait_until(lambda: InboundMessage.objects.count() == 4)
    time.sleep(0.5)
    kept = {one.message_id: one.status for one in InboundMessage.objects.all()}
    assert (kept.pop("evt-1"), kept.pop("evt-2")) == ("received", "received")
    assert list(kept.values()) == ["dead", "dead"]
    assert {one.partner for one in InboundMessage.objects.select_related("partner")} == {
        known.owner
    }
    assert broker.take("inbound.billing") == []
    assert broker.take("inbound.dead") == []


def test_what_can_not_be_kept_lies_in_the_broker(receiving):
    known = make_partner("billing")
    broker = receiving()
    wait_until(lambda: listened_to(broker, "inbound.billing"))
    User.objects.filter(pk=known.owner.client_id).update(is_active=False)
    time.sleep(0.1)
    body = sale()
    put(broker, body)
    [dead] = broker.take("inbound.dead", patience=6.0)
    assert dead.body == body or dead.body.encode() == body
    assert InboundMessage.objects.count() == 0


def test_a_paused_partner_s_messages_wait_in_its_queue(receiving, system):
    make_partner("billing")
    support = make_partner("support")
    pause_partner(partner_id=support.owner.pk, actor=system)
    broker = receiving()
    wait_until(lambda: listened_to(broker, "inbound.billing"))
    assert not listened_to(broker, "inbound.support")


def test_without_a_broker_nothing_is_received(db):
    with pytest.raises(CommandError, match="AMQP_URL"):
        call_command("receive")
