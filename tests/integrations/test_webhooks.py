"""Webhooks to real servers: signed, in order, tried again, and never to where they must not go."""

from __future__ import annotations

import json
import socket
import time
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from apps.core.errors import InvalidInput, NotAllowed, NotFound
from apps.core.identifiers import new_id
from apps.core.journal import publish
from apps.core.models import BusinessEvent, Change, EventDelivery
from apps.integrations.errors import WebhookNameTaken
from apps.integrations.models import WebhookDelivery, WebhookLine, WebhookTarget
from apps.integrations.services import posting
from apps.integrations.services.deliveries import (
    note,
    old_deliveries,
    replay_to_webhook,
    send_delivery_again,
)
from apps.integrations.services.posting import KEPT_BYTES, Poster, Unreachable
from apps.integrations.services.sender import Outcome, Sender
from apps.integrations.services.webhooks import (
    add_webhook_target,
    change_webhook_target,
    pause_webhook_target,
    remove_webhook_target,
    resume_webhook_target,
    rotate_webhook_secret,
    send_test_event,
)
from apps.leads.events import LeadUpdated
from apps.users.models import Role
from tests.at_once import outcomes_at_once
from tests.factories.users import UserFactory
from tests.integrations.receivers import receiving, wait_for

pytestmark = pytest.mark.django_db
WAITING, DELIVERED, DEAD = WebhookDelivery.Status


@pytest.fixture(autouse=True)
def _local(settings):
    settings.WEBHOOK_LOCAL_HOSTS = ["127.0.0.1"]


@pytest.fixture
def sender():
    """A sender, which is stopped in the end."""
    found = Sender()
    yield found
    found.stop()


@pytest.fixture
def receiver():
    """A server that takes everything."""
    with receiving() as found:
        yield found


@pytest.fixture
def aim(system):
    """Makes a target of a URL."""

    def add(url, *event_types, name="Partner"):
        return add_webhook_target(
            name=name, url=url, event_types=event_types or ["sales.leads.*"], actor=system
        )

    return add


def tell(system, *words, about=None):
    lead_id = about or new_id()
    with transaction.atomic():
        publish(*(LeadUpdated(lead_id=lead_id, changed=(one,)) for one in words), actor=system)
    return lead_id


def idle(sender):
    """Work until nothing is under way and nothing is due."""
    wait_for(lambda: not sender.work() and not sender.is_busy, lambda: None)


def due_now():
    WebhookDelivery.objects.update(next_try_at=timezone.now())
    WebhookLine.objects.update(resting_until=None)


def words_of(receiver):
    return [json.loads(body)["payload"]["changed"][0] for _, body in receiver.heard]


def test_an_event_arrives_signed_in_the_envelope_of_all_events(aim, receiver, sender, system):
    issued = aim(receiver.url)
    lead_id = tell(system, "score")
    idle(sender)
    [(headers, body)] = receiver.heard
    entry = BusinessEvent.objects.get(name="lead.updated")
    assert headers["webhook-id"] == str(entry.event_id)
    told = Webhook(issued.text).verify(body, headers)
    assert told == {
        "event_id": str(entry.event_id),
        "event_type": "lead.updated",
        "timestamp": entry.occurred_at.isoformat().replace("+00:00", "Z"),
        "source": "sales-system",
        "version": "1.0",
        "correlation_id": "test-request",
        "user_id": str(system.id),
        "payload": {"lead_id": str(lead_id), "changed": ["score"]},
    }
    with pytest.raises(WebhookVerificationError):
        Webhook(issued.text).verify(body + b" ", headers)
    kept = WebhookDelivery.objects.get()
    assert (kept.status, kept.attempts, kept.answered, kept.response) == (DELIVERED, 1, 200, "ok")
    assert kept.headers["webhook-id"] == str(entry.event_id)
    assert "webhook-signature" not in kept.headers


def test_publishing_costs_nothing_while_nobody_wants_an_event(aim, receiver, system):
    tell(system, "a")
    assert not EventDelivery.objects.filter(subscriber="integrations.plan_deliveries").exists()
    issued = aim(receiver.url, "lead.created")
    tell(system, "b")
    assert not EventDelivery.objects.filter(subscriber="integrations.plan_deliveries").exists()
    change_webhook_target(target_id=issued.owner.pk, event_types=["lead.updated"], actor=system)
    tell(system, "c")
    assert EventDelivery.objects.filter(subscriber="integrations.plan_deliveries").count() == 1
    remove_webhook_target(target_id=issued.owner.pk, actor=system)
    tell(system, "d")
    assert EventDelivery.objects.filter(subscriber="integrations.plan_deliveries").count() == 1


def test_events_of_one_record_come_in_order_though_one_fails(aim, sender, system):
    with receiving(statuses=[500, 200]) as receiver:
        aim(receiver.url)
        tell(system, "a", "b", "c")
        idle(sender)
        assert words_of(receiver) == ["a"]
        due_now()
        idle(sender)
        assert words_of(receiver) == ["a", "a", "b", "c"]
        first, again = (headers["webhook-id"] for headers, _ in receiver.heard[:2])
        assert first == again
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {DELIVERED}
    assert WebhookLine.objects.get().failing_since is None


def test_what_one_record_s_event_is_refused_for_holds_up_no_other(aim, sender, system):
    with receiving(statuses=[400]) as receiver:
        aim(receiver.url)
        lead = tell(system, "bad")
        tell(system, "after it", about=lead)
        tell(system, "another")
        idle(sender)
        assert words_of(receiver) == ["bad", "another"]
    assert sorted(WebhookDelivery.objects.values_list("status", "attempts")) == [
        (DELIVERED, 1),
        (WAITING, 0),
        (WAITING, 1),
    ]


def test_a_slow_and_a_dead_target_delay_nobody_else(aim, receiver, sender, system):
    with receiving(waits=8.0) as slow, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        aim(slow.url, name="Slow")
        aim(f"http://127.0.0.1:{silent.getsockname()[1]}/", name="Dead")
        aim(receiver.url, name="Quick")
        for number in range(30):
            tell(system, str(number))
        began = time.monotonic()
        wait_for(lambda: len(receiver.heard) == 30, sender.work)
        assert time.monotonic() - began < 5.0
        assert len(slow.heard) == 1
        assert sender.is_busy
        slow.released.set()


def test_senders_side_by_side_send_each_event_once(aim, receiver, system):
    aim(receiver.url)
    leads = [tell(system, "0") for _ in range(40)]
    for lead in leads:
        tell(system, "1", about=lead)
    one, other = Sender(), Sender()
    wait_for(lambda: len(receiver.heard) >= 80, lambda: (one.work(), other.work()))
    one.stop(), other.stop()
    ids = [headers["webhook-id"] for headers, _ in receiver.heard]
    assert len(ids) == len(set(ids)) == 80
    assert WebhookLine.objects.get().held_by is None


def test_what_a_killed_sender_held_is_sent_by_another_in_half_a_minute(
    aim, receiver, sender, system
):
    aim(receiver.url)
    tell(system, "a")
    WebhookLine.objects.update(held_by=new_id(), held_until=timezone.now() + timedelta(seconds=30))
    idle(sender)
    assert receiver.heard == []
    WebhookLine.objects.update(held_until=timezone.now())
    idle(sender)
    assert words_of(receiver) == ["a"]


def test_redirects_are_not_followed(aim, receiver, sender, system):
    with receiving(statuses=[307], headers={"Location": receiver.url}) as first:
        aim(first.url)
        tell(system, "a")
        idle(sender)
        assert len(first.heard) == 1
    assert receiver.heard == []
    assert WebhookDelivery.objects.get().answered == 307


def test_a_target_that_says_it_is_gone_is_paused(aim, sender, system):
    with receiving(statuses=[410]) as receiver:
        target = aim(receiver.url).owner
        tell(system, "a")
        tell(system, "b")
        idle(sender)
        assert len(receiver.heard) == 1
        target.refresh_from_db()
        assert target.paused_because == "gone"
        assert Client().get("/health").json()["components"]["webhooks"]["status"] == "down"
        due_now()
        idle(sender)
        assert len(receiver.heard) == 1
        resume_webhook_target(target_id=target.pk, actor=system)
        idle(sender)
        assert words_of(receiver) == ["a", "a", "b"]
    assert Client().get("/health").json()["components"]["webhooks"]["status"] == "up"


def test_a_target_that_fails_for_a_day_is_paused_and_an_event_dies_after_three(
    aim, receiver, sender, system
):
    target = aim(receiver.url).owner
    tell(system, "a")
    sender.work()
    idle(sender)
    WebhookLine.objects.update(failing_since=timezone.now() - timedelta(days=1))
    one = WebhookDelivery.objects.get()
    one.attempts, one.first_tried_at = 12, timezone.now() - timedelta(days=2, hours=23)
    note([Outcome(one, timezone.now(), 7, answered=500)])
    target.refresh_from_db()
    one.refresh_from_db()
    assert (target.paused_because, one.status) == ("failing", DEAD)
    assert BusinessEvent.objects.filter(name="webhook.paused").count() == 1

    resume_webhook_target(target_id=target.pk, actor=system)
    send_delivery_again(delivery_id=one.pk, actor=system)
    idle(sender)
    one.refresh_from_db()
    assert (one.status, one.attempts) == (DELIVERED, 1)


def test_only_the_beginning_of_an_answer_is_kept(aim, sender, system):
    with receiving(answer=b"x\x00" * 1_000_000) as receiver:
        aim(receiver.url)
        tell(system, "a")
        idle(sender)
    kept = WebhookDelivery.objects.get()
    assert (kept.status, kept.response) == (DELIVERED, "x" * (KEPT_BYTES // 2))


def test_for_a_day_both_secrets_sign(aim, receiver, sender, system):
    former = aim(receiver.url)
    fresh = rotate_webhook_secret(target_id=former.owner.pk, actor=system)
    tell(system, "a")
    idle(sender)
    headers, body = receiver.heard[0]
    for secret in (former.text, fresh.text):
        assert Webhook(secret).verify(body, headers)["event_type"] == "lead.updated"

    WebhookTarget.objects.update(former_until=timezone.now())
    tell(system, "b")
    idle(sender)
    headers, body = receiver.heard[1]
    assert Webhook(fresh.text).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(former.text).verify(body, headers)


def test_a_secret_stands_nowhere_in_clear(aim, receiver, system):
    issued = aim(receiver.url)
    bare = issued.text.removeprefix("whsec_")
    target = WebhookTarget.objects.get()
    assert bare.encode() not in bytes(target.secret)
    told = [*Change.objects.values_list("after", flat=True)]
    told += BusinessEvent.objects.values_list("payload", flat=True)
    assert told
    assert bare not in json.dumps(told, default=str)
    assert "secret" not in json.dumps(told, default=str)


def test_a_test_reaches_its_target_alone(aim, receiver, sender, system):
    with receiving() as other:
        target = aim(receiver.url, "lead.created").owner
        aim(other.url, "*", name="Other")
        send_test_event(target_id=target.pk, actor=system)
        idle(sender)
        assert other.heard == []
    assert json.loads(receiver.heard[0][1])["event_type"] == "webhook.tested"


def test_the_past_can_be_sent_to_a_target(aim, receiver, sender, system):
    began = timezone.now() - timedelta(minutes=1)
    tell(system, "before")
    target = aim(receiver.url).owner
    tell(system, "after")
    idle(sender)
    assert words_of(receiver) == ["after"]
    assert replay_to_webhook(target_id=target.pk, since=began, actor=system) == 2
    idle(sender)
    assert sorted(words_of(receiver)) == ["after", "after", "before"]
    nothing = {"since": began, "event_types": ["lead.created"], "actor": system}
    assert replay_to_webhook(target_id=target.pk, **nothing) == 0
    with pytest.raises(InvalidInput):
        replay_to_webhook(target_id=target.pk, since=began, until=began, actor=system)
    with pytest.raises(InvalidInput, match="lead.creatd"):
        replay_to_webhook(
            target_id=target.pk, since=began, event_types=["lead.creatd"], actor=system
        )


def test_a_name_that_leads_inside_is_refused_and_asked_once(monkeypatch, receiver):
    asked = []
    answers = [["93.184.215.14", "127.0.0.1"], ["127.0.0.1"]]

    def resolve(host):
        asked.append(host)
        return answers.pop(0)

    monkeypatch.setattr(posting, "addresses_of", resolve)
    with Poster("http://rebinding.example/", local_hosts=[]) as poster:
        for _ in range(2):
            with pytest.raises(Unreachable, match="not one of the public internet"):
                poster.post(b"{}", {})
    assert receiver.heard == []

    answers[:] = [["127.0.0.1"], ["10.0.0.1"]]
    url = receiver.url.replace("127.0.0.1", "partner.example")
    with Poster(url, local_hosts=["partner.example"]) as poster:
        assert [poster.post(b"{}", {}).status for _ in range(2)] == [200, 200]
    assert len(asked) == 3
    port = receiver.server.server_port
    assert receiver.heard[0][0]["host"] == f"partner.example:{port}"


def test_proxies_of_the_environment_are_ignored(monkeypatch, receiver):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with Poster(receiver.url, local_hosts=["127.0.0.1"]) as poster:
        assert poster.post(b"{}", {}).status == 200


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"url": "http://partner.example/"}, "url"),
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"event_types": []}, "event_types"),
        ({"event_types": ["lead.imagined"]}, "event_types"),
        ({"name": " "}, "name"),
    ],
)
def test_refuses_a_target_that_makes_no_sense(system, facts, field):
    given = {"name": "A", "url": "https://partner.example/", "event_types": ["*"], **facts}
    with pytest.raises(InvalidInput) as refused:
        add_webhook_target(**given, actor=system)
    assert set(refused.value.details["fields"]) == {field}
    assert not WebhookTarget.objects.exists()


def test_refuses_a_second_target_of_a_name(aim, receiver):
    aim(receiver.url)
    with pytest.raises(WebhookNameTaken):
        aim(receiver.url)
    assert WebhookTarget.objects.count() == 1


@pytest.mark.parametrize("role", [Role.SALES_MANAGER, Role.SALES_REP, Role.READ_ONLY])
def test_nobody_but_admins_sees_or_changes_anything(
    aim, receiver, sender, system, acting, api, role
):
    target = aim(receiver.url).owner
    tell(system, "a")
    idle(sender)
    delivery = WebhookDelivery.objects.get()
    person = UserFactory(role=role)
    actor = acting(person)
    for operation in (
        rotate_webhook_secret,
        pause_webhook_target,
        resume_webhook_target,
        remove_webhook_target,
        send_test_event,
        change_webhook_target,
    ):
        with pytest.raises(NotAllowed):
            operation(target_id=target.pk, actor=actor)
    with pytest.raises(NotAllowed):
        send_delivery_again(delivery_id=delivery.pk, actor=actor)
    client = api(person)
    for path in ("", f"/{target.pk}", f"/{target.pk}/deliveries"):
        assert client.call("GET", f"/webhooks{path}").status_code == 403
    office = Client()
    office.force_login(person)
    assert office.get(reverse("admin:integrations_webhooktarget_changelist")).status_code == 403
    page = reverse("admin:integrations_webhookdelivery_change", args=[delivery.pk])
    assert office.get(page).status_code == 403
    target.refresh_from_db()
    assert target.paused_at is None


def test_rest_makes_shows_and_ends_a_target(api, admin, receiver, sender, system):
    client = api(admin)
    given = {"name": "Billing", "url": receiver.url, "event_types": ["lead.updated"]}
    made = client.call("POST", "/webhooks", given)
    assert made.status_code == 201
    target = made.json()["id"]
    shown = client.call("GET", f"/webhooks/{target}")
    assert made.json()["secret"] not in shown.content.decode()
    assert (shown.json()["name"], shown.json()["paused_because"]) == ("Billing", "")
    tell(system, "a")
    idle(sender)
    [row] = client.call("GET", f"/webhooks/{target}/deliveries?status=delivered").json()["data"]
    assert (row["event_name"], row["answered"], row["response"]) == ("lead.updated", 200, "ok")
    assert client.call("POST", f"/webhooks/deliveries/{row['id']}/again").status_code == 202
    assert client.call("POST", f"/webhooks/{target}/test").status_code == 202
    idle(sender)
    assert len(receiver.heard) == 3
    changed = client.call("PATCH", f"/webhooks/{target}", {"name": "Books"})
    assert changed.json()["name"] == "Books"
    rotated = client.call("POST", f"/webhooks/{target}/rotate").json()
    assert rotated["secret"] != made.json()["secret"]
    assert client.call("POST", f"/webhooks/{target}/pause").status_code == 204
    assert client.call("GET", f"/webhooks/{target}").json()["paused_because"] == "by_hand"
    assert client.call("POST", f"/webhooks/{target}/resume").status_code == 204
    again = client.call("POST", f"/webhooks/{target}/replay", {"since": "2026-01-01T00:00:00Z"})
    assert again.json() == {"events": 1}
    assert client.call("DELETE", f"/webhooks/{target}").status_code == 204
    assert client.call("GET", f"/webhooks/{target}").status_code == 404
    assert not WebhookDelivery.objects.exists()


def test_the_back_office_makes_a_target_and_shows_its_secret_once(admin, receiver, sender, system):
    office = Client()
    office.force_login(admin)
    add = reverse("admin:integrations_webhooktarget_add")
    form = {"name": "Billing", "url": "http://elsewhere.example/", "event_types": "lead.updated"}
    assert b"Give an https URL." in office.post(add, form).content
    assert not WebhookTarget.objects.exists()
    answer = office.post(add, {**form, "url": receiver.url})
    assert "no-store" in answer["Cache-Control"]
    secret = answer.content.decode().partition('<code class="input secret">')[2].partition("<")[0]
    target = WebhookTarget.objects.get()
    tell(system, "a")
    idle(sender)
    headers, body = receiver.heard[0]
    assert Webhook(secret).verify(body, headers)
    page = reverse("admin:integrations_webhooktarget_change", args=[target.pk])
    shown = office.get(page).content.decode()
    assert secret not in shown
    assert "lead.updated" in shown
    office.post(reverse("admin:integrations_webhooktarget_operation_pause", args=[target.pk]))
    target.refresh_from_db()
    assert target.paused_because == "by_hand"
    delivery = WebhookDelivery.objects.get()
    again = reverse("admin:integrations_webhookdelivery_operation_again", args=[delivery.pk])
    office.post(again)
    delivery.refresh_from_db()
    assert delivery.status == WAITING
    for listed in ("webhooktarget", "webhookdelivery"):
        answer = office.get(reverse(f"admin:integrations_{listed}_changelist"))
        assert answer.status_code == 200


def test_old_deliveries_are_forgotten(aim, receiver, sender, system):
    aim(receiver.url)
    tell(system, "a")
    idle(sender)
    assert old_deliveries(timezone.now() - timedelta(days=30)).count() == 0
    assert old_deliveries(timezone.now()).forget() == 1
    assert not WebhookDelivery.objects.exists()


def test_there_is_nothing_to_do_to_a_target_that_is_not_there(system):
    with pytest.raises(NotFound):
        pause_webhook_target(target_id=new_id(), actor=system)
    with pytest.raises(NotFound):
        replay_to_webhook(target_id=new_id(), since=timezone.now(), actor=system)


@pytest.mark.django_db(transaction=True)
def test_of_two_targets_of_one_name_at_once_one_is_refused(aim, receiver):
    def add(_):
        aim(receiver.url)

    assert outcomes_at_once(add, range(2)) == ["done", "webhook_name_taken"]
    assert WebhookTarget.objects.count() == 1
