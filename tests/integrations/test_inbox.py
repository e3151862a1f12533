"""The inbox: what was taken in is handled once in effect, tried again, or lies there with why."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from apps.contracts.models import Contract
from apps.core.errors import NotAllowed
from apps.core.identifiers import new_id
from apps.core.models import BusinessEvent, DataKey
from apps.core.personal_data import person_of
from apps.core.retention import forget_what_is_due, keep_for
from apps.integrations.errors import NothingToHandle
from apps.integrations.models import InboundMessage
from apps.integrations.services.inbox import (
    ATTEMPTS,
    handle_due,
    handle_message,
    replay_message,
    take_delivery,
    take_message,
)
from apps.integrations.services.messages import ContractMade, understand
from apps.territories.selectors import forget_reach
from apps.users.models import Role, User
from apps.users.selectors import forget_standings
from apps.users.services.people import bind_client
from tests.factories.integrations import make_partner, message
from tests.factories.opportunities import make_deal
from tests.factories.users import UserFactory, actor_of

TERMS = {
    "contract_term": 12,
    "start_date": date(2026, 3, 1),
    "payment_terms": "net_30",
    "billing_frequency": "quarterly",
}


@pytest.fixture
def billing(db):
    return make_partner("billing").owner


@pytest.fixture
def deal(rep):
    return make_deal(owner=rep, stage="closed_won", amount=Decimal("100.00"), **TERMS)


@pytest.fixture
def take(billing):
    """Takes in a message of billing, by queue."""

    def taken(body, partner=billing, **facts):
        actor = actor_of(partner.client)
        kept, _ = take_delivery(partner=partner, body=body, actor=actor, **facts)
        return kept

    return taken


def sale(deal_id, contract_id="C-1", **payload):
    return message(
        "contract.created",
        {"opportunity_id": str(deal_id), "contract_id": contract_id, **payload},
    )


def test_billing_says_that_it_made_a_contract(take, billing, deal, deliver_events):
    kept = take(sale(deal.pk, payment_terms="net_45"))
    deliver_events()
    contract = Contract.objects.get()
    assert (contract.external_system, contract.external_id) == ("billing", "C-1")
    assert (contract.status, contract.payment_terms) == ("acknowledged", "net_45")
    assert contract.start_date == date(2026, 3, 1)
    kept.refresh_from_db()
    assert (kept.status, kept.attempts, kept.due_at, kept.reason) == ("handled", 1, None, "")
    told = BusinessEvent.objects.get(name="contract.acknowledged")
    assert (told.actor_id, told.door) == (billing.client_id, "inbound")
    assert told.correlation_id == str(kept.pk)


def test_handled_twice_is_once_in_effect(take, system, deal, deliver_events):
    kept = take(sale(deal.pk))
    deliver_events()
    before = BusinessEvent.objects.count()
    assert handle_message(message_id=kept.pk, actor=system) is None
    take(sale(deal.pk))
    deliver_events()
    assert Contract.objects.count() == 1
    assert BusinessEvent.objects.filter(name="contract.acknowledged").count() == 1
    assert BusinessEvent.objects.count() == before + 1


def test_payments_can_be_stated(take, deal, deliver_events):
    stated = [{"due_on": "2026-03-01", "amount": 40}, {"due_on": "2026-06-01", "amount": 60.0}]
    take(sale(deal.pk, payment_schedule=stated))
    deliver_events()
    assert Contract.objects.get().payment_schedule == [
        {"due_on": "2026-03-01", "amount": "40"},
        {"due_on": "2026-06-01", "amount": "60.0"},
    ]


def test_what_may_stand_tomorrow_is_tried_again_ever_later_and_then_lies_dead(
    take, system, deal, deliver_events
):
    kept = take(sale(new_id()))
    deliver_events()
    waits = []
    for attempt in range(1, ATTEMPTS):
        kept.refresh_from_db()
        assert (kept.status, kept.attempts) == ("received", attempt)
        assert kept.reason == "not_found: There is nothing here."
        waits.append((kept.due_at - timezone.now()).total_seconds())
        assert handle_due(actor=system) == 0
        InboundMessage.objects.update(due_at=timezone.now())
        assert handle_due(actor=system) == 1
    assert [round(one / 60) for one in waits] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    kept.refresh_from_db()
    assert (kept.status, kept.attempts, kept.due_at) == ("dead", ATTEMPTS, None)
    assert Contract.objects.count() == 0


def test_what_came_too_early_is_handled_once_it_can_be(take, billing, system, deal, deliver_events):
    bind_client(user_id=billing.client_id, all_territories=False, actor=system)
    kept = take(sale(deal.pk))
    deliver_events()
    assert Contract.objects.count() == 0
    bind_client(user_id=billing.client_id, all_territories=True, actor=system)
    deliver_events()
    forget_standings()
    forget_reach()
    InboundMessage.objects.update(due_at=timezone.now())
    handle_due(actor=system)
    kept.refresh_from_db()
    assert (kept.status, kept.attempts) == ("handled", 2)
    assert Contract.objects.get().external_id == "C-1"


def test_what_is_refused_for_good_says_why_and_changes_nothing(take, deal, deliver_events):
    lost = make_deal(stage="closed_lost", amount=Decimal(5))
    kept = take(sale(lost.pk))
    deliver_events()
    kept.refresh_from_db()
    assert (kept.status, kept.attempts) == ("refused", 1)
    assert kept.reason == "opportunity_not_won: Only a won opportunity has a contract."
    assert Contract.objects.count() == 0


def test_a_client_that_may_not_is_refused(take, billing, deal, deliver_events):
    User.objects.filter(pk=billing.client_id).update(all_territories=False)
    kept = take(sale(deal.pk))
    deliver_events()
    kept.refresh_from_db()
    assert (kept.status, kept.reason) == ("received", "not_found: There is nothing here.")
    User.objects.filter(pk=billing.client_id).update(is_active=False)
    forget_standings()
    kept = take_message(partner=billing, body=sale(deal.pk, "C-2"), actor=actor_of(UserFactory()))[
        0
    ]
    deliver_events()
    kept.refresh_from_db()
    assert (kept.status, kept.reason.partition(":")[0]) == ("refused", "not_allowed")
    assert Contract.objects.count() == 0


def test_an_unforeseen_failure_leaves_nothing_half_done(take, system, deal, monkeypatch):
    def torn(self, heard):
        carry_out(self, heard)
        raise ZeroDivisionError("in the middle")

    carry_out = ContractMade.carry_out
    monkeypatch.setattr(ContractMade, "carry_out", torn)
    kept = take(sale(deal.pk))
    handle_message(message_id=kept.pk, actor=system)
    kept.refresh_from_db()
    assert (kept.status, kept.reason) == ("received", "internal_error: ZeroDivisionError")
    assert Contract.objects.count() == 0
    assert not BusinessEvent.objects.filter(name="contract.acknowledged").exists()


def test_an_error_of_the_database_leaves_it_to_the_next_try(take, system, deal, monkeypatch):
    def torn(self, heard):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    monkeypatch.setattr(ContractMade, "carry_out", torn)
    kept = take(sale(deal.pk))
    handle_message(message_id=kept.pk, actor=system)
    kept.refresh_from_db()
    assert (kept.status, kept.reason) == ("received", "internal_error: DataError")


@pytest.mark.parametrize("body", [b"\xff\x00", b"{", message("contract.torn", {}), sale("none")])
def test_what_a_queue_brings_and_nobody_understands_lies_dead_with_why(take, body):
    kept = take(body)
    assert kept.status == "dead"
    assert kept.reason
    assert take(body).pk == kept.pk
    assert InboundMessage.objects.count() == 1
    assert not BusinessEvent.objects.filter(name="inbox.received").exists()


def test_the_dead_are_handled_again_by_whoever_may(take, admin, rep, acting, deal, deliver_events):
    lost = make_deal(stage="closed_lost", amount=Decimal(5))
    kept = take(sale(lost.pk))
    deliver_events()
    with pytest.raises(NotAllowed):
        replay_message(message_id=kept.pk, actor=acting(rep))
    replay_message(message_id=kept.pk, actor=acting(admin))
    with pytest.raises(NothingToHandle):
        replay_message(message_id=kept.pk, actor=acting(admin))
    deliver_events()
    kept.refresh_from_db()
    assert (kept.status, kept.attempts) == ("refused", 1)
    InboundMessage.objects.update(status="handled", handled_at=timezone.now())
    with pytest.raises(NothingToHandle):
        replay_message(message_id=kept.pk, actor=acting(admin))


def test_without_any_id_type_moment_and_subject_tell_what_comes_twice():
    def digest(contract_id="C-1", timestamp="2026-02-11T08:00:00Z"):
        payload = {"opportunity_id": str(new_id()), "contract_id": contract_id}
        body = message("contract.created", payload, event_id=None, timestamp=timestamp)
        return understand(body, partner="billing", kind="billing").id

    assert digest() == digest() == digest(timestamp="2026-02-11T09:00:00+01:00")
    assert len({digest(), digest("C-2"), digest(timestamp="2026-02-11T08:00:01Z")}) == 3


def test_bodies_are_dropped_some_time_after_they_were_handled(take, system, deal, deliver_events):
    long_ago, waiting = take(sale(deal.pk)), take(sale(new_id()))
    deliver_events()
    now = timezone.now()
    InboundMessage.objects.filter(pk=long_ago.pk).update(handled_at=now - timedelta(days=31))
    assert forget_what_is_due("integrations", now=now)["integrations.inbound_bodies"] == 1
    assert forget_what_is_due("integrations", now=now)["integrations.inbound_bodies"] == 0
    bodies = {one.pk: one.body for one in InboundMessage.objects.select_related("data_key")}
    assert bodies[long_ago.pk] == ""
    assert "contract_id" in bodies[waiting.pk]
    assert DataKey.objects.get(pk=long_ago.data_key_id).wrapped is None
    assert InboundMessage.objects.filter(message_id=long_ago.message_id).count() == 1
    keep_for(name="integrations.inbound_bodies", days=None, actor=system)
    assert "integrations.inbound_bodies" not in forget_what_is_due("integrations", now=now)


def test_machine_clients_of_other_reach_change_nothing(take, deal, deliver_events):
    blind = make_partner("billing", key="ledger", client=UserFactory(role=Role.INTEGRATION))
    kept = take(sale(deal.pk), partner=blind.owner)
    deliver_events()
    kept.refresh_from_db()
    assert kept.reason == "not_found: There is nothing here."
    assert Contract.objects.count() == 0
    assert person_of(kind="inbound_messages", row_id=kept.pk).ids == {"inbound_messages": [kept.pk]}
