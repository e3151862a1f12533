"""The receiver on a real RabbitMQ: what partners put into their queues lies in the inbox."""

from __future__ import annotations

import time

import pytest
from django.core.management import CommandError, call_command

from apps.core.identifiers import new_id
from apps.integrations.models import InboundMessage
from apps.integrations.services.partners import pause_partner
from apps.users.models import User
from tests.factories.integrations import make_partner, message
from tests.integrations.rabbitmq import wait_until


def sale(**envelope):
    payload = {"opportunity_id": str(new_id()), "contract_id": "C-1"}
    return message("contract.created", payload, **envelope)


def test_what_a_partner_puts_into_its_queue_lies_in_the_inbox(receiving):
    known = make_partner("billing")
    broker = receiving()
    wait_until(lambda: broker.is_taken_from("inbound.billing"))
    once = sale(event_id="evt-1", source="billing")
    broker.put(
        "billing.contract.created",
        once,
        once,
        sale(event_id="evt-2"),
        b"{",
        sale(source="marketing"),
    )
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
    wait_until(lambda: broker.is_taken_from("inbound.billing"))
    User.objects.filter(pk=known.owner.client_id).update(is_active=False)
    time.sleep(0.1)
    body = sale()
    broker.put("billing.contract.created", body)
    [dead] = broker.take("inbound.dead", patience=6.0)
    assert dead.body == body or dead.body.encode() == body
    assert InboundMessage.objects.count() == 0


def test_a_paused_partner_s_messages_wait_in_its_queue(receiving, system):
    make_partner("billing")
    support = make_partner("support")
    pause_partner(partner_id=support.owner.pk, actor=system)
    broker = receiving()
    wait_until(lambda: broker.is_taken_from("inbound.billing"))
    assert not broker.is_taken_from("inbound.support")


def test_without_a_broker_nothing_is_received(db):
    with pytest.raises(CommandError, match="AMQP_URL"):
        call_command("receive")
