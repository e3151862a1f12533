"""Customer experience and support tell of customers, by queue and webhook: once, whatever comes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from apps.core.models import BusinessEvent
from apps.customer_success.models import Case, Measure
from apps.customer_success.permissions import REPORT_CUSTOMER
from apps.integrations.models import InboundMessage
from apps.integrations.services.description import describe
from apps.integrations.services.inbox import take_delivery
from apps.users.models import Role
from apps.users.services.people import allow_role
from tests.factories.accounts import AccountFactory
from tests.factories.customer_success import make_health
from tests.factories.integrations import make_partner, message, signed
from tests.factories.users import UserFactory, actor_of

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 11, 8, tzinfo=UTC)
TICKET = {
    "account_id": "C-7",
    "id": "T-1",
    "title": "Nothing works",
    "severity": "critical",
    "status": "open",
    "opened_at": "2026-02-10T08:00:00Z",
}
SAID = {
    "customer_experience": {
        "health.updated": {"account_id": "C-7", "score": 35},
        "usage.updated": {"account_id": "C-7", "metrics": {"active_users": 12, "share": 0.5}},
        "nps.updated": {"account_id": "C-7", "score": -20},
        "ticket.updated": TICKET,
    },
    "support": {
        "ticket.updated": TICKET,
        "escalation.updated": {**TICKET, "id": "E-1", "status": "in_progress"},
        "feature_request.updated": {
            "account_id": "C-7",
            "id": "F-1",
            "title": "Dark mode",
            "status": "planned",
            "opened_at": "2026-02-10T08:00:00Z",
        },
    },
}
EACH = [(kind, name) for kind, names in SAID.items() for name in names]


@pytest.fixture(params=["customer_experience", "support"])
def kind(request):
    return request.param


@pytest.fixture
def partners():
    many = {"requests_per_minute": 1_000_000, "requests_per_second": 1_000_000}
    client = UserFactory(role=Role.INTEGRATION, all_territories=True, **many)
    return {kind: make_partner(kind, client=client) for kind in SAID}


@pytest.fixture
def account(rep):
    return AccountFactory(owner=rep, external_ids=dict.fromkeys(SAID, "C-7"))


@pytest.fixture
def queue(partners, deliver_events):
    """Takes in what a queue brings, and has it handled."""

    def brought(kind, body):
        owner = partners[kind].owner
        kept, _ = take_delivery(partner=owner, body=body, actor=actor_of(owner.client))
        deliver_events()
        kept.refresh_from_db()
        return kept

    return brought


def mirrored():
    return Measure.objects.count() + Case.objects.count()


@pytest.mark.parametrize(("kind", "name"), EACH)
def test_what_they_say_is_taken_over(queue, account, kind, name):
    body = message(name, SAID[kind][name], timestamp=AT)
    kept = queue(kind, body)
    assert (kept.status, kept.reason) == ("handled", "")
    row = Measure.objects.first() or Case.objects.first()
    assert (row.account_id, row.partner, row.as_of) == (account.pk, kind, AT)
    assert queue(kind, body).pk == kept.pk
    assert queue(kind, message(name, SAID[kind][name], timestamp=AT)).status == "handled"
    assert mirrored() == 1


@pytest.mark.parametrize(("kind", "name"), EACH)
def test_the_same_comes_by_signed_webhook(client, partners, account, deliver_events, kind, name):
    body = message(name, SAID[kind][name], timestamp=AT)
    headers = signed(partners[kind].text, body)
    for _ in range(2):
        answer = client.post(
            f"/api/v1/inbound/{kind}", body, content_type="application/json", headers=headers
        )
        assert answer.status_code == 202, answer.content
    deliver_events()
    assert InboundMessage.objects.get().status == "handled"
    assert mirrored() == 1


@pytest.mark.parametrize(("kind", "name"), EACH)
def test_the_examples_are_as_they_are_described(kind, name):
    document = describe()
    schema = document["components"]["messages"][f"inbound.{name}"]["payload"]
    validator = Draft202012Validator({**schema, "components": document["components"]})
    sent = {"event_type": name, "timestamp": "2026-02-11T08:00:00Z"}
    assert list(validator.iter_errors({**sent, "payload": SAID[kind][name]})) == []


def test_news_of_an_account_that_is_still_on_its_way_is_tried_again(queue, kind, rep):
    name, payload = next(iter(SAID[kind].items()))
    kept = queue(kind, message(name, payload))
    assert (kept.status, kept.reason) == ("received", "not_found: There is nothing here.")
    assert mirrored() == 0


def test_nobody_says_what_is_not_theirs_to_say(queue, account):
    kept = queue("support", message("health.updated", {"account_id": "C-7", "score": 1}))
    assert kept.status == "dead"
    assert "escalation.updated" in kept.reason
    assert mirrored() == 0


def test_a_client_that_may_not_is_refused(queue, partners, account, system):
    allow_role(role=Role.INTEGRATION, permission=REPORT_CUSTOMER, allowed=False, actor=system)
    kept = queue("support", message("ticket.updated", TICKET))
    assert (kept.status, kept.reason.partition(":")[0]) == ("refused", "permission_missing")
    assert mirrored() == 0


def test_older_news_after_newer_changes_nothing(queue, account):
    said = [(AT + timedelta(hours=1), 35), (AT, 90), (AT + timedelta(hours=2), 80)]
    for at, score in said:
        body = message("health.updated", {"account_id": "C-7", "score": score}, timestamp=at)
        assert queue("customer_experience", body).status == "handled"
    assert (Measure.objects.get().score, Measure.objects.get().previous_score) == (80, 35)
    assert BusinessEvent.objects.filter(name="account.health_changed").count() == 2


EDGES = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("event_id", [None, "known"])
def test_moments_at_the_edges_of_time_are_refused(queue, account, edge, event_id):
    said = message("ticket.updated", TICKET, timestamp=edge, event_id=event_id)
    kept = queue("support", said)
    sentence = "Expected a moment of the years 1 to 9999, field `timestamp`."
    assert (kept.status, kept.reason) == ("dead", f"timestamp: {sentence}")
    late = message("ticket.updated", {**TICKET, "opened_at": edge}, event_id=event_id)
    assert queue("support", late).status == "dead"
    assert mirrored() == 0


MOMENTS = st.one_of(
    st.sampled_from(EDGES),
    st.datetimes(timezones=st.timezones()).map(datetime.isoformat),
    st.text(max_size=30),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300) | MOMENTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def messages(draw):
    """A message as it should be, with some of it put otherwise."""
    kind, name = draw(st.sampled_from(EACH))
    payload = dict(SAID[kind][name])
    for place in draw(st.sets(st.sampled_from(sorted(payload)), max_size=2)):
        payload[place] = draw(ANYTHING)
    if draw(st.booleans()):
        payload[draw(st.text(max_size=10))] = draw(ANYTHING)
    envelope = {"event_type": name, "timestamp": draw(st.just(AT.isoformat()) | MOMENTS)}
    return kind, json.dumps({**envelope, "payload": payload}, default=str).encode()


def test_whatever_they_send_is_answered_and_stored_once(client, partners, account, deliver_events):
    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(messages())
    def send(sent):
        kind, body = sent
        headers = signed(partners[kind].text, body)
        before = InboundMessage.objects.count()
        answers = [
            client.post(
                f"/api/v1/inbound/{kind}", body, content_type="application/json", headers=headers
            ).status_code
            for _ in range(2)
        ]
        assert answers in ([202, 202], [400, 400]), answers
        assert InboundMessage.objects.count() - before <= 1
        deliver_events()

    send()
    assert not InboundMessage.objects.filter(reason__contains="internal_error").exists()
    names = ("partner", "kind", "external_id")
    assert Case.objects.values(*names).distinct().count() == Case.objects.count()
    assert Measure.objects.count() <= 3
    assert make_health(account, 1).score == 1
