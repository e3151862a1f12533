"""Signed webhooks: let in when a partner signed them just now, and taken in once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.identifiers import new_id
from apps.core.models import BusinessEvent
from apps.integrations.errors import NotAMachineClient
from apps.integrations.models import InboundMessage, Partner
from apps.integrations.services.partners import (
    add_partner,
    pause_partner,
    resume_partner,
    rotate_secret,
)
from apps.users.models import Role, User
from apps.users.selectors import forget_standings
from tests.at_once import outcomes_at_once
from tests.factories.integrations import make_partner, message, signed
from tests.factories.users import UserFactory


@pytest.fixture
def known(db):
    """Billing, with its secret."""
    return make_partner("billing")


def sale(**envelope):
    payload = {"opportunity_id": str(new_id()), "contract_id": "C-1"}
    return message("contract.created", payload, **envelope)


def send(body, headers, *, to="billing", content_type="application/json"):
    return Client().generic(
        "POST", f"/api/v1/inbound/{to}", data=body, content_type=content_type, headers=headers
    )


def reason(answer):
    return answer.json()["error"]["details"]["reason"]


def test_a_signed_message_is_taken_in_at_once(known):
    body = sale(event_id="evt-1", source="billing", version="1.0")
    answer = send(body, signed(known.text, body))
    assert answer.status_code == 202, answer.content
    kept = InboundMessage.objects.get()
    assert answer.json() == {"id": str(kept.pk), "status": "received", "is_repeat": False}
    assert (kept.message_id, kept.type, kept.status) == ("evt-1", "contract.created", "received")
    assert kept.body.encode() == body
    assert answer["X-RateLimit-Limit"] == "1000"
    event = BusinessEvent.objects.get(name="inbox.received")
    assert (event.aggregate_id, event.actor_id) == (kept.pk, known.owner.client_id)
    assert event.door == "inbound"


def test_what_is_kept_can_not_be_read_in_the_database(known):
    body = sale()
    send(body, signed(known.text, body))
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM integrations_inboundmessage")
        assert b"contract_id" not in bytes(cursor.fetchone()[0])
        cursor.execute("SELECT secret FROM integrations_partner")
        assert known.text.encode() not in bytes(cursor.fetchone()[0])


def test_a_replay_is_answered_and_kept_once(known):
    body = sale()
    headers = signed(known.text, body)
    first = send(body, headers)
    again = send(body, headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == {**first.json(), "is_repeat": True}
    # The same event sent anew, under another id of the webhook.
    assert send(body, signed(known.text, body)).json()["is_repeat"] is True
    assert InboundMessage.objects.count() == 1
    assert BusinessEvent.objects.filter(name="inbox.received").count() == 1


def test_without_an_event_id_the_webhook_s_tells_what_comes_twice(known):
    body = sale(event_id=None)
    for _ in range(2):
        assert send(body, signed(known.text, body, webhook_id="msg_1")).status_code == 202
    assert [one.message_id for one in InboundMessage.objects.all()] == ["msg_1"]
    assert send(body, signed(known.text, body, webhook_id="msg_2")).status_code == 202
    assert InboundMessage.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_of_eight_at_once_one_is_kept():
    secret = make_partner("billing").text
    body = sale()
    headers = signed(secret, body)

    def one(_):
        try:
            return send(body, headers)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(one, range(8)))
    assert {one.status_code for one in answers} == {202}
    assert sorted(one.json()["is_repeat"] for one in answers) == [False] + [True] * 7
    assert InboundMessage.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_partners_with_one_key_at_once_one_is_refused():
    client = UserFactory(role=Role.INTEGRATION)

    def add(_):
        make_partner("billing", client=client)

    assert outcomes_at_once(add, range(2)) == ["done", "partner_known"]
    assert Partner.objects.count() == 1


def test_the_same_id_of_two_partners_is_two_messages(known):
    other = make_partner("billing", key="ledger")
    body = sale(event_id="evt-1")
    assert send(body, signed(known.text, body)).status_code == 202
    assert send(body, signed(other.text, body), to="ledger").status_code == 202
    assert InboundMessage.objects.count() == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda headers, _: headers.pop("webhook-id"),
        lambda headers, _: headers.pop("webhook-timestamp"),
        lambda headers, _: headers.pop("webhook-signature"),
        lambda headers, _: headers.update({"webhook-id": "another"}),
        lambda headers, _: headers.update({"webhook-timestamp": "soon"}),
        lambda headers, _: headers.update({"webhook-timestamp": "nan"}),
        lambda headers, _: headers.update({"webhook-timestamp": "1e400"}),
        lambda headers, _: headers.update({"webhook-signature": "v1"}),
        lambda headers, _: headers.update({"webhook-signature": "v1,%%%"}),
        lambda headers, _: headers.update({"webhook-signature": "v1,é"}),
        lambda headers, _: headers.update({"webhook-signature": "v1,a,b v1,"}),
        lambda headers, body: headers.update(signed("whsec_AAAA", body)),
        lambda headers, body: headers.update(
            {"webhook-signature": headers["webhook-signature"].replace("v1,", "v2,")}
        ),
    ],
)
def test_refuses_what_is_not_signed_and_says_no_more(known, spoil):
    body = sale()
    headers = signed(known.text, body)
    spoil(headers, body)
    answer = send(body, headers)
    assert (answer.status_code, reason(answer)) == (401, "signature_rejected")
    assert InboundMessage.objects.count() == 0


@pytest.mark.parametrize("minutes", [-6, 6, -100_000])
def test_refuses_what_was_signed_long_ago_or_is_yet_to_come(known, minutes):
    body = sale()
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    answer = send(body, signed(known.text, body, at=at))
    assert (answer.status_code, reason(answer)) == (401, "signature_rejected")
    assert InboundMessage.objects.count() == 0


@pytest.mark.parametrize("minutes", [-4, 4])
def test_clocks_may_differ_by_less_than_five_minutes(known, minutes):
    body = sale()
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    assert send(body, signed(known.text, body, at=at)).status_code == 202


def test_refuses_other_bytes_than_were_signed(known):
    body = sale()
    headers = signed(known.text, body)
    for other in (body + b" ", body.replace(b"C-1", b"C-2"), b"\xff\xfe", b""):
        answer = send(other, headers)
        assert (answer.status_code, reason(answer)) == (401, "signature_rejected")
    assert InboundMessage.objects.count() == 0


def test_another_partner_and_nobody_are_refused_alike(known):
    make_partner("support")
    body = sale()
    headers = signed(known.text, body)
    for to in ("support", "nobody"):
        answer = send(body, headers, to=to)
        assert (answer.status_code, reason(answer)) == (401, "signature_rejected")
    assert InboundMessage.objects.count() == 0


def test_a_token_opens_no_inbox(known, api, admin):
    answer = api(admin).call("POST", "/inbound/billing", json.loads(sale()))
    assert answer.status_code == 401


def test_the_former_secret_works_for_a_day(known, system):
    fresh = rotate_secret(partner_id=known.owner.pk, actor=system)
    for secret in (known.text, fresh.text):
        body = sale()
        assert send(body, signed(secret, body)).status_code == 202
    assert fresh.owner.former_until - datetime.now(UTC) > timedelta(hours=23, minutes=59)
    Partner.objects.update(former_until=datetime.now(UTC))
    body = sale()
    assert send(body, signed(known.text, body)).status_code == 401
    assert send(body, signed(fresh.text, body)).status_code == 202


def test_a_paused_partner_is_asked_to_send_it_again(known, system):
    pause_partner(partner_id=known.owner.pk, actor=system)
    body = sale()
    answer = send(body, signed(known.text, body))
    assert (answer.status_code, reason(answer)) == (503, "partner_paused")
    assert answer["Retry-After"]
    assert send(body, signed("whsec_AAAA", body)).status_code == 401
    assert InboundMessage.objects.count() == 0
    resume_partner(partner_id=known.owner.pk, actor=system)
    assert send(body, signed(known.text, body)).status_code == 202


def test_a_partner_whose_client_may_not_act_is_not_let_in(known):
    User.objects.filter(pk=known.owner.client_id).update(is_active=False)
    forget_standings()
    body = sale()
    assert send(body, signed(known.text, body)).status_code == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (b"[]", "body"),
        (b'{"a": 1}', "a"),
        (message("contract.created", {}), "payload.opportunity_id"),
        (message("contract.torn", {}), "event_type"),
        (message("lead.qualified", {}), "event_type"),
        (sale(source="marketing"), "source"),
        (sale(timestamp="yesterday"), "timestamp"),
        (sale(timestamp="2026-02-11T08:00:00"), "timestamp"),
        (sale(event_id=7), "event_id"),
        (sale(event_id="x" * 256), "event_id"),
        (sale(surprise=1), "surprise"),
        (sale(source="a\0"), "body"),
        (
            message(
                "contract.created",
                {"opportunity_id": str(new_id()), "contract_id": "C", "payment_schedule": [{}]},
            ),
            "payload.payment_schedule[0].due_on",
        ),
        (
            message("contract.created", {"opportunity_id": "none", "contract_id": "C"}),
            "payload.opportunity_id",
        ),
    ],
)
def test_refuses_what_it_does_not_understand_by_the_field_s_name(known, body, field):
    answer = send(body, signed(known.text, body))
    assert answer.status_code == 400, answer.content
    assert list(answer.json()["error"]["details"]["fields"]) == [field]
    assert InboundMessage.objects.count() == 0
    assert BusinessEvent.objects.filter(name="inbox.received").count() == 0


def test_refuses_too_much_and_other_kinds_of_content(known, settings):
    body = sale()
    answer = send(body, signed(known.text, body), content_type="text/plain")
    assert (answer.status_code, reason(answer)) == (415, "unsupported_media_type")
    settings.INBOUND_MAX_BYTES = len(body) - 1
    answer = send(body, signed(known.text, body))
    assert (answer.status_code, reason(answer)) == (413, "too_large")
    assert InboundMessage.objects.count() == 0


def test_a_partner_has_the_limit_of_its_client(known):
    User.objects.filter(pk=known.owner.client_id).update(requests_per_minute=2)
    forget_standings()
    statuses = []
    for _ in range(3):
        body = sale()
        statuses.append(send(body, signed(known.text, body)).status_code)
    assert statuses == [202, 202, 429]
    assert InboundMessage.objects.count() == 2


SURPRISES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.uuids().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda payload, envelope: message("contract.created", payload, **envelope),
        st.fixed_dictionaries(
            {"opportunity_id": st.uuids().map(str) | SURPRISES, "contract_id": SURPRISES},
            optional={"start_date": SURPRISES, "payment_schedule": SURPRISES},
        ),
        st.fixed_dictionaries(
            {}, optional={"event_id": SURPRISES, "timestamp": SURPRISES, "source": SURPRISES}
        ),
    ),
)
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    body=BODIES,
    webhook_id=HEADER.filter(bool),
    spoiled=st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]),
        HEADER,
        max_size=1,
    ),
    to=st.sampled_from(["billing", "support", "nobody"]),
    content_type=st.sampled_from(["application/json", "application/json; charset=x", "text/xml"]),
)
def test_whatever_comes_is_taken_in_once_or_refused(
    fuzzed, body, webhook_id, spoiled, to, content_type
):
    try:
        headers = signed(fuzzed, body, webhook_id=webhook_id) | spoiled
    except UnicodeDecodeError:
        headers = signed(fuzzed, b"", webhook_id=webhook_id) | spoiled
    before = InboundMessage.objects.count()
    answers = [send(body, headers, to=to, content_type=content_type) for _ in range(2)]
    assert {one.status_code for one in answers} <= {202, 400, 401, 413, 415}
    kept = InboundMessage.objects.count() - before
    assert kept in ((0, 1) if answers[0].status_code == 202 else (0,))
    if answers[0].status_code == 202:
        assert answers[1].json()["is_repeat"] is True


@pytest.fixture
def fuzzed(db):
    """The secret of a partner that may ask for as much as it likes."""
    make_partner("support")
    limits = {"requests_per_minute": 1_000_000, "requests_per_second": 1_000_000}
    client = UserFactory(role=Role.INTEGRATION, all_territories=True, **limits)
    return make_partner("billing", client=client).text


@pytest.mark.parametrize("role", [Role.ADMIN, Role.SALES_REP])
def test_only_a_machine_client_stands_for_a_partner(system, db, role):
    with pytest.raises(NotAMachineClient):
        add_partner(
            key="crm",
            name="CRM",
            kind="marketing",
            client_id=UserFactory(role=role).pk,
            actor=system,
        )
    assert Partner.objects.count() == 0
