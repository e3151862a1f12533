"""The source's Lead-to-Opportunity Flow over a real RabbitMQ: marketing speaks, billing answers."""

from __future__ import annotations

import json

import pytest
from django.conf import settings as configured

from apps.contracts.models import Contract
from apps.core.identifiers import new_id
from apps.core.journal import deliver
from apps.integrations.models import InboundMessage
from apps.leads.models import Lead
from apps.opportunities.services.pipelines import seed_default_pipeline
from tests.factories.integrations import make_partner, message
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.integrations.described import deviations
from tests.integrations.rabbitmq import wait_until
from tests.integrations.test_marketing import AT, EXAMPLE

QUEUES = {**configured.AMQP_QUEUES, "everything": ["sales.#"]}
TERMS = {
    "opportunity_name": "Acme Corp - Enterprise Plan",
    "amount": 120000.00,
    "expected_close_date": "2027-03-31",
    "stage": "discovery",
    "contract_term": 12,
    "start_date": "2027-04-01",
    "payment_terms": "net_30",
    "billing_frequency": "monthly",
}


@pytest.fixture
def broker(receiving, relay, settings, db):
    """Marketing and billing are partners, heard and spoken to."""
    settings.AMQP_QUEUES = QUEUES
    for kind in ("marketing", "billing"):
        make_partner(kind)
    yield receiving()
    relay.forget(list(QUEUES))


def test_marketing_s_lead_becomes_billing_s_contract(broker, api, system, rep, outsider):
    seed_default_pipeline(actor=system)
    technology = TerritoryFactory(
        name="Technology", industry="Technology", assignment="round_robin"
    )
    TerritoryMemberFactory(territory=technology, user=rep)
    seller = api(rep)
    for partner in ("marketing", "billing"):
        wait_until(lambda partner=partner: broker.is_taken_from(f"inbound.{partner}"))

    ours_there = {"lead_id": str(new_id()), "campaign_id": str(new_id())}
    qualified = message("lead.qualified", {**EXAMPLE, **ours_there}, event_id=None, timestamp=AT)
    assert deviations(json.loads(qualified), prefix="inbound.") == []
    broker.put("marketing.lead.qualified", qualified)
    hear(1)

    [lead] = seller.call("GET", "/leads").json()["data"]
    assert (lead["first_name"], lead["status"]) == ("John", "new")
    assert Lead.objects.get().marketing_score == 85
    assert (lead["territory"]["name"], lead["assigned_to"]["id"]) == ("Technology", str(rep.pk))
    assert api(outsider).call("GET", "/leads").json()["data"] == []

    assert seller.call("POST", f"/leads/{lead['id']}/qualify", {}).status_code == 200
    converted = seller.call("POST", f"/leads/{lead['id']}/convert", TERMS)
    assert converted.status_code == 201, converted.content
    deal_id = converted.json()["opportunity_id"]
    for stage in ("proposal", "negotiation", "closed_won"):
        moved = seller.call("PUT", f"/opportunities/{deal_id}/stage", {"stage": stage})
        assert moved.status_code == 200, moved.content
    tell()

    [sold] = taken(broker, "billing")
    assert sold["event_type"] == "opportunity.closed_won"
    assert (sold["payload"]["opportunity_id"], sold["payload"]["amount"]) == (deal_id, 120000.00)
    assert sold["payload"]["owner"]["user_id"] == sold["user_id"] == str(rep.pk)
    [onboarding] = taken(broker, "operations")
    assert onboarding["event_type"] == "onboarding.trigger"
    assert onboarding["payload"]["account_id"] == sold["payload"]["account_id"]

    answer = {"opportunity_id": deal_id, "contract_id": "C-2027-001"}
    broker.put("billing.contract.created", message("contract.created", answer, source="billing"))
    hear(2)
    [contract] = seller.call("GET", f"/contracts?opportunity_id={deal_id}").json()["data"]
    assert (contract["status"], contract["external_id"]) == ("acknowledged", "C-2027-001")
    assert contract["amount"] == 120000.00

    # Each message twice more changes nothing.
    broker.put("marketing.lead.qualified", qualified, qualified)
    hear(2)
    assert (Lead.objects.count(), Contract.objects.count()) == (1, 1)

    told = taken(broker, "everything")
    # In order within what an event is about.
    of_lead = ["lead.created", "lead.assigned", "lead.qualified", "lead.converted"]
    assert [name for name in names(told) if name in of_lead] == of_lead
    of_deal = ["opportunity.created", *["opportunity.stage_changed"] * 3, "opportunity.won"]
    assert [name for name in names(told) if name in of_deal] == of_deal
    assert names(told).count("contract.acknowledged") == 1


def names(bodies):
    return [one["event_type"] for one in bodies]


def hear(messages):
    """What partners said is in the inbox, and handled."""
    wait_until(lambda: InboundMessage.objects.count() == messages)
    tell()
    assert set(InboundMessage.objects.values_list("status", "reason")) == {("handled", "")}


def tell():
    """Everybody hears what happened, the broker included."""
    while deliver() + deliver("relay"):
        pass


def taken(broker, queue):
    """Every message of a queue, each as the source and our description have it."""
    bodies = [json.loads(one.body) for one in broker.take(queue)]
    assert [said for one in bodies for said in deviations(one)] == []
    return bodies
