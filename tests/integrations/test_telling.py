"""What partners are told of a won deal, on a real RabbitMQ: as the source has it."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.conf import settings as configured
from django.db import transaction
from django.utils import timezone

from apps.core.actors import system_actor
from apps.core.contact_points import email_key
from apps.core.exchange_rates import set_exchange_rate
from apps.core.journal import deliver, publish
from apps.core.models import BusinessEvent
from apps.integrations.services.relay import send_again
from apps.opportunities.services.deals import reassign_opportunity
from apps.opportunities.services.splits import split_opportunity
from apps.opportunities.services.stages import move_opportunity, reopen_opportunity
from apps.privacy.selectors import Subject
from apps.privacy.services.erasures import erase_person
from tests.factories.accounts import AccountFactory, ContactFactory
from tests.factories.catalog import ProductFactory
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory
from tests.integrations.described import deviations
from tests.integrations.test_description import FORECAST

QUEUES = configured.AMQP_QUEUES
TERMS = {
    "contract_term": 12,
    "start_date": date(2026, 3, 1),
    "payment_terms": "net_30",
    "billing_frequency": "monthly",
    "special_requirements": "Requires custom integration with Salesforce",
    "priority": "high",
}
SELLER = system_actor(door="test")


@pytest.fixture
def queues(relay, settings):
    """The queues that are made where nobody says otherwise."""
    settings.AMQP_QUEUES = QUEUES
    yield relay
    relay.forget(list(QUEUES))


@pytest.fixture
def deal(rep):
    """A deal of Acme, about to be won."""
    account = AccountFactory(name="Acme Corp", owner=rep)
    product = ProductFactory(code="prod_123", name="Enterprise Plan")
    ContactFactory(
        account=account,
        type="primary",
        name="John Doe",
        email="john.doe@acme.com",
        email_key=email_key("john.doe@acme.com"),
        phone="+1-555-0100",
    )
    line = {
        "product_id": product.pk,
        "quantity": 100,
        "unit_price": Decimal("100.00"),
        "discount": Decimal("0.10"),
        "configuration": {"data_center": "us-east-1", "features": ["sso"]},
    }
    return make_deal(account=account, stage="negotiation", products=[line], **TERMS)


def win(deal):
    move_opportunity(opportunity_id=deal.pk, stage="closed_won", actor=SELLER)
    tell()


def tell():
    """Everybody hears what happened, the broker included."""
    while deliver() + deliver("relay"):
        pass


def taken(broker, queue, name):
    """The messages of a name in a queue, each as the source and our description have it."""
    bodies = [json.loads(one.body) for one in broker.take(queue)]
    found = [one for one in bodies if one["event_type"] == name]
    assert [said for one in found for said in deviations(one)] == []
    return found


def test_billing_is_told_terms_products_and_owner(queues, deal, rep):
    win(deal)
    [told] = taken(queues, "billing", "opportunity.closed_won")
    event = BusinessEvent.objects.get(name="opportunity.won")
    assert told["payload"] == {
        "opportunity_id": str(deal.pk),
        "account_id": str(deal.account_id),
        "amount": 9000.00,
        "currency": "USD",
        "contract_term": 12,
        "start_date": "2026-03-01",
        "payment_terms": "net_30",
        "billing_frequency": "monthly",
        "payment_schedule": [],
        "products": [
            {"product_id": "prod_123", "quantity": 100, "unit_price": 100.00, "discount": 0.10}
        ],
        "owner": {"user_id": str(rep.pk), "name": "Rex Rep", "email": rep.email},
    }
    assert told["event_id"] != str(event.event_id)
    assert (told["correlation_id"], told["user_id"]) == (
        SELLER.request_id,
        str(SELLER.id),
    )


def test_operations_are_told_what_to_provide_and_whom_to_talk_to(queues, deal, read_so_far):
    win(deal)
    [told] = taken(queues, "operations", "onboarding.trigger")
    assert told["payload"] == {
        "opportunity_id": str(deal.pk),
        "account_id": str(deal.account_id),
        "account_name": "Acme Corp",
        "contract_start_date": "2026-03-01",
        "products": [
            {
                "product_id": "prod_123",
                "product_name": "Enterprise Plan",
                "quantity": 100,
                "configuration": {"data_center": "us-east-1", "features": ["sso"]},
            }
        ],
        "contacts": [
            {
                "type": "primary",
                "name": "John Doe",
                "email": "john.doe@acme.com",
                "phone": "+1-555-0100",
            }
        ],
        "special_requirements": "Requires custom integration with Salesforce",
        "priority": "high",
    }
    [read] = [one for one in read_so_far() if one.kind == "contacts"]
    assert (read.door, read.reading, read.actor_id) == ("relay", "exported", SELLER.id)


def test_sent_again_it_bears_the_same_id_and_nobody_who_was_erased(queues, deal, admin, acting):
    began = timezone.now() - timedelta(minutes=1)
    win(deal)
    [first] = taken(queues, "operations", "onboarding.trigger")
    erase_person(subject=Subject(email="john.doe@acme.com"), reason="asked", actor=acting(admin))
    tell()
    assert send_again(since=began, topics=["sales.opportunities"]) > 0
    tell()
    [again] = taken(queues, "operations", "onboarding.trigger")
    assert again["event_id"] == first["event_id"]
    assert again["payload"] == {**first["payload"], "contacts": []}


def test_who_listens_to_all_of_sales_hears_of_no_person(queues, deal, settings):
    settings.AMQP_QUEUES = {**QUEUES, "leads": ["sales.#"]}
    win(deal)
    bodies = [one.body for one in queues.take("leads")]
    assert any("opportunity.won" in str(one) for one in bodies)
    assert not any("john.doe" in str(one) or "Rex Rep" in str(one) for one in bodies)


def test_finance_is_told_a_forecast_as_it_came_out(queues, db):
    with transaction.atomic():
        publish(FORECAST, actor=SELLER)
    deliver("relay")
    [told] = taken(queues, "finance", "forecast.updated")
    assert told["payload"]["breakdown"] == [
        {
            "stage": "proposal",
            "count": 15,
            "total_amount": 2000000.00,
            "weighted_amount": 1800000.00,
        }
    ]


def credit_told(broker):
    """What finance was told of credits: names and payloads in their order."""
    bodies = [json.loads(one.body) for one in broker.take("finance")]
    assert [said for one in bodies for said in deviations(one)] == []
    return [
        (one["event_type"], one["payload"])
        for one in bodies
        if one["event_type"] in ("commission.eligible", "commission.reversed")
    ]


def test_finance_is_told_who_is_credited_with_a_won_deal(queues, rep, manager, admin, acting):
    set_exchange_rate(
        currency="EUR", valid_from=date(2020, 1, 1), rate=Decimal("1.25"), actor=acting(admin)
    )
    deal = make_deal(owner=rep, stage="negotiation", amount=Decimal("100.01"), currency="EUR")
    splits = [
        {"user_id": rep.pk, "kind": "revenue", "percentage": Decimal(50)},
        {"user_id": manager.pk, "kind": "revenue", "percentage": Decimal(50)},
        {"user_id": admin.pk, "kind": "overlay", "percentage": Decimal(10)},
    ]
    split_opportunity(opportunity_id=deal.pk, splits=splits, actor=SELLER)
    win(deal)
    deal.refresh_from_db()
    [(name, told)] = credit_told(queues)
    shares = {one.pop("user_id"): one for one in told.pop("shares")}
    assert (name, told) == (
        "commission.eligible",
        {
            "opportunity_id": str(deal.pk),
            "version": deal.version,
            "closed_on": deal.actual_close_date.isoformat(),
            "amount": 100.01,
            "currency": "EUR",
            "converted_amount": 125.01,
            "converted_currency": "USD",
        },
    )
    assert shares[str(admin.pk)] == {
        "name": "Ada Admin",
        "email": admin.email,
        "kind": "overlay",
        "amount": 10.0,
        "converted_amount": 12.5,
    }
    sold = [shares[str(one.pk)] for one in (rep, manager)]
    assert {one["kind"] for one in sold} == {"revenue"}
    assert sorted(one["amount"] for one in sold) == [50.0, 50.01]
    assert sorted(one["converted_amount"] for one in sold) == [62.5, 62.51]


def test_finance_is_told_what_is_taken_back_in_its_order(queues, deal, rep, manager):
    win(deal)
    reassign_opportunity(opportunity_id=deal.pk, owner_id=manager.pk, actor=SELLER)
    tell()
    reopen_opportunity(opportunity_id=deal.pk, actor=SELLER)
    tell()
    told = credit_told(queues)
    assert [
        (name, one["amount"], [each["user_id"] for each in one["shares"]]) for name, one in told
    ] == [
        ("commission.eligible", 9000.0, [str(rep.pk)]),
        ("commission.reversed", -9000.0, [str(rep.pk)]),
        ("commission.eligible", 9000.0, [str(manager.pk)]),
        ("commission.reversed", -9000.0, [str(manager.pk)]),
    ]
    assert sum(one["converted_amount"] for _, one in told) == 0
    versions = [one["version"] for _, one in told]
    assert versions == sorted(versions)


def test_finance_hears_nothing_where_only_a_territory_is_credited_anew(queues, deal):
    win(deal)
    assert len(credit_told(queues)) == 1
    west = TerritoryFactory()
    reassign_opportunity(
        opportunity_id=deal.pk, owner_id=deal.owner_id, territory_id=west.pk, actor=SELLER
    )
    tell()
    assert credit_told(queues) == []
    assert BusinessEvent.objects.filter(name="credit.given").count() == 2


def test_what_is_credited_comes_again_under_the_same_id(queues, deal):
    began = timezone.now() - timedelta(minutes=1)
    win(deal)
    [first] = taken(queues, "finance", "commission.eligible")
    assert send_again(since=began, names=["credit.given"]) == 1
    tell()
    [again] = taken(queues, "finance", "commission.eligible")
    assert again == first
