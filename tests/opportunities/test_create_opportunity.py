"""Beginning a deal."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from apps.core.models import BusinessEvent
from apps.opportunities.models import (
    Opportunity,
    OpportunityAssignment,
    OpportunityChange,
    OpportunityLine,
    StageSpan,
)
from apps.users.models import Role
from tests.factories.accounts import AccountFactory
from tests.factories.catalog import PriceBookEntryFactory, ProductFactory
from tests.factories.opportunities import in_days
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory


@pytest.fixture
def account(rep):
    return AccountFactory(name="Acme Corp", owner=rep)


@pytest.fixture
def body(account, rep):
    """The source's request (sales-system-integrations, Create Opportunity)."""
    ProductFactory(code="prod_123", name="Enterprise Plan")
    return {
        "name": "Acme Corp - Enterprise Plan",
        "account_id": str(account.pk),
        "stage": "discovery",
        "amount": 120000.00,
        "expected_close_date": in_days(39),
        "probability": 20,
        "owner_id": str(rep.pk),
        "products": [{"product_id": "prod_123", "quantity": 100, "unit_price": 100.00}],
        "metadata": {
            "competition": ["Competitor A", "Competitor B"],
            "decision_criteria": ["price", "features", "support"],
        },
    }


def test_begins_a_deal_as_the_source_shows_it(api, rep, account, body, pipeline):
    answer = api(rep).call("POST", "/opportunities", body)
    assert answer.status_code == 201, answer.content
    deal = Opportunity.objects.get()
    assert answer.json() == {
        "id": str(deal.pk),
        "stage": "discovery",
        "probability": 20,
        "deal_score": 65,
        "created_at": deal.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert deal.account == account
    assert deal.owner == rep
    assert deal.pipeline == pipeline
    assert deal.stage.key == deal.stage_key == "discovery"
    assert deal.kind == "open"
    assert deal.last_open_stage == deal.stage
    assert deal.amount == Decimal("120000.00")
    assert deal.currency == "USD"
    assert deal.lines_total == Decimal("10000.00")
    assert deal.expected_close_date == date.fromisoformat(in_days(39))
    assert (deal.probability, deal.probability_source) == (20, "stage")
    assert (deal.forecast_category, deal.forecast_category_source) == ("pipeline", "stage")
    assert deal.version == 1
    line = deal.lines.get()
    assert (line.product.code, line.quantity, line.amount) == ("prod_123", 100, 10000)


def test_writes_its_first_history_and_tells(api, rep, body):
    api(rep).call("POST", "/opportunities", {**body, "notes": "Met at the fair"})
    deal = Opportunity.objects.get()
    change = OpportunityChange.objects.get()
    assert (change.seq, change.kind, change.notes) == (1, "created", "Met at the fair")
    assert (change.stage_from, change.stage_to) == (None, deal.stage)
    assert (change.amount_from, change.amount_to) == (None, Decimal("120000.00"))
    assert change.actor_id == rep.pk
    assert change.door == "rest"
    span = StageSpan.objects.get()
    assert (span.stage, span.entered_at, span.left_at) == (deal.stage, deal.created_at, None)
    period = OpportunityAssignment.objects.get()
    assert (period.owner, period.valid.lower, period.valid.upper) == (rep, deal.created_at, None)
    event = BusinessEvent.objects.get(name="opportunity.created")
    assert event.aggregate_id == deal.pk
    assert event.payload == {
        "opportunity_id": str(deal.pk),
        "account_id": str(deal.account_id),
        "lead_id": None,
        "pipeline": "default",
        "stage": "discovery",
        "probability": 20,
        "amount": 120000.00,
        "currency": "USD",
        "expected_close_date": in_days(39),
        "forecast_category": "pipeline",
        "owner_id": str(rep.pk),
        "territory_id": None,
        "kind": "open",
        "closed_on": None,
    }


def test_needs_little_and_takes_the_rest_from_the_account(api, rep):
    territory = TerritoryFactory()
    account = AccountFactory(owner=rep, territory=territory, currency="EUR")
    answer = api(rep).call(
        "POST", "/opportunities", {"name": "Renewal", "account_id": str(account.pk)}
    )
    assert answer.status_code == 201, answer.content
    deal = Opportunity.objects.get()
    assert deal.owner == rep
    assert deal.territory == territory
    assert (deal.amount, deal.currency) == (Decimal("0.00"), "EUR")
    assert deal.stage_key == "discovery"
    assert deal.expected_close_date is None


def test_without_an_amount_it_is_worth_what_its_lines_come_to(api, rep, body):
    del body["amount"]
    body["products"][0]["discount"] = 0.1
    api(rep).call("POST", "/opportunities", body)
    deal = Opportunity.objects.get()
    assert deal.amount == deal.lines_total == Decimal("9000.00")


def test_a_line_without_a_price_takes_that_of_the_price_book(api, rep, body):
    PriceBookEntryFactory(product__code="prod_list", unit_price=Decimal("49.90"))
    body["products"] = [{"product_id": "prod_list", "quantity": 3}]
    answer = api(rep).call("POST", "/opportunities", body)
    assert answer.status_code == 201, answer.content
    assert OpportunityLine.objects.get().amount == Decimal("149.70")


def test_a_probability_of_ones_own_is_kept_as_such(api, rep, body):
    api(rep).call("POST", "/opportunities", {**body, "probability": 35})
    deal = Opportunity.objects.get()
    assert (deal.probability, deal.probability_source) == (35, "manual")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"amount": -1}, "amount"),
        ({"amount": "much"}, "amount"),
        ({"amount": 1.234}, "amount"),
        ({"currency": "XXXX"}, "currency"),
        ({"probability": 101}, "probability"),
        ({"probability": "20"}, "probability"),
        ({"stage": "closed_won"}, "stage"),
        ({"stage": "limbo"}, "stage"),
        ({"pipeline": "limbo"}, "pipeline"),
        ({"forecast_category": "closed"}, "forecast_category"),
        ({"expected_close_date": "2026-02-30"}, "expected_close_date"),
        ({"account_id": "00000000-0000-7000-8000-00000000dead"}, "account_id"),
        ({"account_id": None}, "account_id"),
        ({"owner_id": "somebody"}, "owner_id"),
        ({"territory_id": "00000000-0000-7000-8000-00000000dead"}, "territory_id"),
        ({"contract_term": 0}, "contract_term"),
        ({"billing_frequency": "hourly"}, "billing_frequency"),
        ({"loss_reason": "none"}, "loss_reason"),
        ({"colour": "red"}, "colour"),
        ({"products": [{"product_id": "prod_0", "quantity": 1}]}, "products[0].product_id"),
        ({"products": [{"product_id": "prod_123", "quantity": 1}]}, "products[0].unit_price"),
        ({"products": [{"product_id": "prod_123", "quantity": 0}]}, "products"),
        (
            {
                "products": [
                    {"product_id": "prod_123", "quantity": 1, "unit_price": 1, "discount": 2}
                ]
            },
            "products",
        ),
        ({"payment_schedule": [{"due_on": "soon", "amount": 1}]}, "payment_schedule"),
    ],
)
def test_refuses_facts_that_make_no_sense(api, rep, body, change, field):
    answer = api(rep).call("POST", "/opportunities", {**body, **change})
    assert answer.status_code == 400, answer.content
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert field in error["details"]["fields"]
    assert Opportunity.objects.count() == 0
    assert OpportunityLine.objects.count() == 0
    assert BusinessEvent.objects.filter(name__startswith="opportunity").count() == 0


def test_refuses_a_product_that_is_not_on_sale(api, rep, body):
    ProductFactory(code="prod_old", is_active=False)
    body["products"][0]["product_id"] = "prod_old"
    answer = api(rep).call("POST", "/opportunities", body)
    assert answer.status_code == 400
    assert Opportunity.objects.count() == 0


def test_an_account_out_of_reach_does_not_exist(api, outsider, body):
    del body["owner_id"]
    answer = api(outsider).call("POST", "/opportunities", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["fields"] == {
        "account_id": ["There is no such account."]
    }
    assert Opportunity.objects.count() == 0


def test_a_rep_does_not_begin_deals_for_others(api, rep, outsider, body):
    answer = api(rep).call("POST", "/opportunities", {**body, "owner_id": str(outsider.pk)})
    assert answer.status_code == 403
    assert answer.json()["error"]["details"]["permission"] == "opportunity:assign"
    assert Opportunity.objects.count() == 0


def test_a_manager_does(api, manager, rep, body):
    answer = api(manager).call("POST", "/opportunities", body)
    assert answer.status_code == 201, answer.content
    assert Opportunity.objects.get().owner == rep


def test_refuses_whoever_only_reads(api, body):
    territory = TerritoryFactory()
    viewer = UserFactory(role=Role.READ_ONLY)
    territory.members.create(user=viewer)
    body["account_id"] = str(AccountFactory(territory=territory).pk)
    answer = api(viewer).call("POST", "/opportunities", body)
    assert answer.status_code == 403
    assert answer.json()["error"]["details"]["permission"] == "opportunity:write"
    assert Opportunity.objects.count() == 0


def test_happens_once_under_an_idempotency_key(api, rep, body):
    client = api(rep)
    first = client.call("POST", "/opportunities", body, idempotency_key="deal-1")
    second = client.call("POST", "/opportunities", body, idempotency_key="deal-1")
    assert first.json() == second.json()
    assert Opportunity.objects.count() == 1
