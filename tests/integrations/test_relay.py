"""The relay on a real RabbitMQ: events arrive, in order, in the envelope others were told of."""

from __future__ import annotations

import json
from collections import defaultdict
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from threading import Thread, local
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from kombu import Connection

from apps.core.api.system import _COMPONENTS
from apps.core.errors import NotFound
from apps.core.identifiers import new_id
from apps.core.journal import NotNow, deliver, publish
from apps.core.models import BusinessEvent, EventDelivery
from apps.integrations.metrics import events_relayed, events_unroutable, relay_seconds_behind
from apps.integrations.rules.messages import message_of
from apps.integrations.services.bus import EVENTS, Bus
from apps.integrations.services.relay import RELAY, check_relay, measure, send_again, the_bus
from apps.leads.events import LeadCreated
from apps.territories.events import TerritoryUpdated
from apps.users.events import UserSignedIn


def created(lead_id=None, score=1):
    return LeadCreated(
        lead_id=lead_id or new_id(),
        source="fair",
        status="new",
        score=score,
        owner_id=None,
        territory_id=None,
    )


def tell(system, *happened):
    with transaction.atomic():
        publish(*happened, actor=system)


def waiting():
    return EventDelivery.objects.filter(subscriber=RELAY)


def value(counter, topic):
    return counter.labels(topic)._value.get()


def test_an_event_leaves_in_the_envelope_others_were_told_of(relay, system, db):
    happened = created(score=85)
    tell(system, happened)
    assert deliver("relay") == 1

    [message] = relay.take("leads")
    entry = BusinessEvent.objects.get()
    assert json.loads(message.body) == {
        "event_id": str(entry.event_id),
        "event_type": "lead.created",
        "timestamp": entry.occurred_at.isoformat().replace("+00:00", "Z"),
        "source": "sales-system",
        "version": "1.0",
        "correlation_id": "test-request",
        "user_id": str(system.id),
        "payload": {
            "lead_id": str(happened.lead_id),
            "source": "fair",
            "status": "new",
            "score": 85,
            "owner_id": None,
            "territory_id": None,
        },
    }
    assert message.headers["sequence"] == entry.sequence
    assert message.headers["aggregate_id"] == str(happened.lead_id)
    assert message.delivery_info["routing_key"] == "sales.leads.lead.created"
    assert message.properties["message_id"] == str(entry.event_id)
    assert message.properties["correlation_id"] == "test-request"
    assert message.properties["delivery_mode"] == 2
    assert message.content_type == "application/json"
    assert not waiting().exists()


@pytest.mark.django_db(transaction=True)
def test_relays_side_by_side_share_the_events_and_keep_their_order(relay, system, settings):
    leads = [new_id() for _ in range(60)]
    for score in range(10):
        tell(system, *(created(one, score) for one in leads))
    relayed = value(events_relayed, "sales.leads")
    _relays_at_work(3, settings)

    heard = defaultdict(list)
    # A queue that was made a moment ago may refuse a batch, some of which then comes again.
    arrived = {}
    for message in relay.take("leads"):
        arrived.setdefault(message.properties["message_id"], message)
    for message in arrived.values():
        payload = json.loads(message.body)["payload"]
        heard[payload["lead_id"]].append((payload["score"], message.headers["sequence"]))
    assert set(heard) == {str(one) for one in leads}
    for told in heard.values():
        assert [score for score, _ in told] == list(range(10))
        assert told == sorted(told, key=lambda one: one[1])
    assert not waiting().exists()
    assert value(events_relayed, "sales.leads") == relayed + 600


def _relays_at_work(count, settings):
    """Several relays at work, each with a connection of its own, as processes have."""

    def work():
        own.bus = Bus(settings.AMQP_URL, settings.AMQP_QUEUES)
        try:
            while waiting().exists():
                with suppress(NotNow):
                    deliver("relay")
        finally:
            own.bus.close()
            connection.close()

    own = local()
    with patch("apps.integrations.services.relay.the_bus", lambda: own.bus):
        threads = [Thread(target=work) for _ in range(count)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()


def test_nothing_overtakes_what_a_full_queue_refuses(relay, system, db):
    full = {"x-max-length": 1, "x-overflow": "reject-publish"}
    the_bus().publish([])
    with Connection(relay.url) as broker:
        broker.default_channel.queue_declare("full", arguments=full, auto_delete=False)
        broker.default_channel.queue_bind("full", EVENTS.name, "sales.leads.#")
    lead = new_id()
    tell(system, *(created(lead, score) for score in range(4)))
    with pytest.raises(NotNow, match="refused 1 events"):
        deliver("relay")
    assert scores_of(relay.take("leads")) == [0, 1]
    assert waiting().filter(attempts=0).count() == 4

    relay.forget(["full"])
    assert deliver("relay") == 4
    assert scores_of(relay.take("leads")) == [0, 1, 2, 3]


def scores_of(messages):
    return [json.loads(one.body)["payload"]["score"] for one in messages]


def test_what_happens_inside_the_platform_stays_inside(relay, system, db):
    tell(system, UserSignedIn(user_id=new_id(), method="password"))
    assert not waiting().exists()


def test_an_event_no_queue_is_bound_for_is_noticed_and_can_be_sent_again(relay, system, db):
    lost = value(events_unroutable, "sales.territories")
    about = TerritoryUpdated(territory_id=new_id(), changed=("rules",))
    tell(system, about, created())
    began = timezone.now() - timedelta(minutes=1)
    assert deliver("relay") == 2
    assert value(events_unroutable, "sales.territories") == lost + 1
    assert len(relay.take("leads")) == 1

    with Connection(relay.url) as broker:
        broker.default_channel.queue_bind("leads", EVENTS.name, "sales.territories.#")
    assert send_again(since=began, topics=["sales.territories"]) == 1
    assert deliver("relay") == 1
    assert value(events_unroutable, "sales.territories") == lost + 1
    [message] = relay.take("leads")
    assert json.loads(message.body)["payload"]["territory_id"] == str(about.territory_id)


def test_events_are_sent_again_by_name_span_or_id(relay, system, db):
    before = timezone.now() - timedelta(minutes=1)
    tell(system, created(score=1), TerritoryUpdated(territory_id=new_id(), changed=("rules",)))
    deliver("relay")
    event = BusinessEvent.objects.get(name="lead.created")

    def again(*arguments):
        said = StringIO()
        call_command("relay", *arguments, stdout=said)
        count = waiting().count()
        assert said.getvalue() == f"{count} events will be sent again.\n"
        waiting().delete()
        return count

    since = f"--again-since={before.isoformat()}"
    assert again(since) == 2
    assert again(since, "--event=lead.created") == 1
    assert again(since, "--topic=sales.territories") == 1
    assert again(since, f"--until={before.isoformat()}") == 0
    assert again(f"--again={event.event_id}") == 1
    assert again(f"--again={new_id()}") == 0
    with pytest.raises(CommandError, match="No such event leaves"):
        call_command("relay", since, "--event=user.signed_in")
    with pytest.raises(CommandError, match="--again-since says since when"):
        call_command("relay", "--event=lead.created")
    with pytest.raises(CommandError, match="A moment is written like"):
        call_command("relay", "--again-since=2026-01-31")


def test_a_broker_that_is_away_costs_no_attempt_and_nothing_is_lost(relay, system, db):
    tell(system, created(score=1))
    deliver("relay")
    relay.settle()
    relay.kill()
    tell(system, *(created(score=number) for number in range(2, 22)))
    for _ in range(12):
        with pytest.raises(NotNow):
            deliver("relay")
    assert {(one.attempts, one.dead_at) for one in waiting()} == {(0, None)}
    assert waiting().count() == 20

    relay.start()
    assert deliver("relay") == 20
    scores = [json.loads(one.body)["payload"]["score"] for one in relay.take("leads")]
    assert sorted(scores) == list(range(1, 22))


def test_a_queue_that_is_full_lets_events_wait(relay, system, db):
    tell(system, created())
    deliver("relay")
    with Connection(relay.url) as broker:
        broker.default_channel.queue_declare(
            "full",
            durable=True,
            auto_delete=False,
            arguments={"x-max-length": 0, "x-overflow": "reject-publish"},
        )
        broker.default_channel.queue_bind("full", EVENTS.name, "sales.leads.#")
    tell(system, created(), created())
    with pytest.raises(NotNow, match="refused"):
        deliver("relay")
    assert [one.attempts for one in waiting()] == [0, 0]

    relay.forget(["full"])
    assert deliver("relay") == 2
    assert not waiting().exists()


def test_an_event_the_broker_can_not_take_holds_up_only_its_own_aggregate(
    relay, system, db, monkeypatch
):
    torn = created(score=13)

    def torn_message_of(recorded):
        if recorded.event == torn:
            raise ValueError("unspeakable")
        return message_of(recorded)

    monkeypatch.setattr("apps.integrations.services.relay.message_of", torn_message_of)
    tell(system, torn, created(torn.lead_id, 14), created(score=15))
    deliver("relay")
    assert [json.loads(one.body)["payload"]["score"] for one in relay.take("leads")] == [15]
    assert [(one.attempts, one.error) for one in waiting().order_by("event_sequence")] == [
        (1, "ValueError: unspeakable"),
        (0, ""),
    ]


def test_health_tells_when_events_wait_for_the_relay(relay, system, db, monkeypatch):
    monkeypatch.setitem(_COMPONENTS, "bus", (check_relay, False))
    tell(system, created())
    assert Client().get("/health").json()["components"]["bus"]["status"] == "up"
    waiting().update(available_at=timezone.now() - timedelta(minutes=2))
    answer = Client().get("/health")
    assert answer.status_code == 200
    assert answer.json()["components"]["bus"] == {"status": "down", "error": "TimeoutError"}
    measure()
    assert 120 <= relay_seconds_behind._value.get() < 180
    deliver("relay")
    assert Client().get("/health").json()["components"]["bus"]["status"] == "up"


def test_the_deliverer_leaves_the_relay_s_events_to_it(relay, system, db):
    tell(system, created())
    deliver()
    assert waiting().count() == 1


def test_without_a_broker_nothing_is_kept_for_it(system, db):
    tell(system, created())
    assert not waiting().exists()
    with pytest.raises(CommandError, match="AMQP_URL"):
        call_command("relay", "--once")
    with pytest.raises(NotFound):
        send_again(since=timezone.now())
