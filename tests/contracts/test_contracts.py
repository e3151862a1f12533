"""Contracts of won deals: drawn up, changed, acknowledged by billing, void when reopened."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.contracts.models import Contract
from apps.contracts.rules import MONTHS_BETWEEN_BILLS, last_day, payments
from apps.contracts.services.contracts import acknowledge_sale, create_contract, void_contracts
from apps.core.errors import Refusal
from apps.core.models import BusinessEvent, Change
from apps.opportunities.services.announcements import credits_told
from apps.opportunities.services.deals import reassign_opportunity
from apps.opportunities.services.stages import move_opportunity, reopen_opportunity
from apps.users.models import Role
from tests.at_once import outcomes_at_once
from tests.factories.catalog import ProductFactory
from tests.factories.opportunities import make_deal
from tests.factories.users import UserFactory

TERMS = {
    "contract_term": 12,
    "start_date": date(2026, 3, 1),
    "payment_terms": "net_30",
    "billing_frequency": "quarterly",
}


@pytest.fixture
def deal(rep):
    """A won deal with terms and a product."""
    product = ProductFactory(code="prod_123", name="Enterprise Plan")
    return make_deal(
        owner=rep,
        stage="closed_won",
        amount=Decimal("100.00"),
        products=[{"product_id": product.code, "quantity": 1, "unit_price": Decimal("100.00")}],
        **TERMS,
    )


def told(name):
    return [one.payload for one in BusinessEvent.objects.filter(name=name).order_by("sequence")]


# --- Drawing up -------------------------------------------------------------------------------


def test_a_contract_is_what_the_deal_says(api, rep, deal):
    answer = api(rep).call("POST", "/contracts", {"opportunity_id": str(deal.pk)})
    assert answer.status_code == 201, answer.content
    shown = answer.json()
    contract = Contract.objects.get()
    assert shown["id"] == str(contract.pk)
    assert shown["status"] == "drawn_up"
    assert (shown["start_date"], shown["end_date"]) == ("2026-03-01", "2027-02-28")
    assert (shown["amount"], shown["currency"]) == (100.0, "USD")
    assert shown["payment_schedule"] == [
        {"due_on": "2026-03-01", "amount": 25.0},
        {"due_on": "2026-06-01", "amount": 25.0},
        {"due_on": "2026-09-01", "amount": 25.0},
        {"due_on": "2026-12-01", "amount": 25.0},
    ]
    assert [one["product_id"] for one in shown["products"]] == ["prod_123"]
    assert shown["products"][0]["unit_price"] == 100.0
    assert told("contract.created") == [
        {
            "contract_id": str(contract.pk),
            "opportunity_id": str(deal.pk),
            "account_id": str(deal.account_id),
            "amount": 100.0,
            "currency": "USD",
            "contract_term": 12,
            "start_date": "2026-03-01",
            "end_date": "2027-02-28",
            "payment_terms": "net_30",
            "billing_frequency": "quarterly",
            "owner_id": str(rep.pk),
            "territory_id": None,
        }
    ]


def test_what_is_stated_takes_the_place_of_what_the_deal_says(api, rep, deal):
    body = {"opportunity_id": str(deal.pk), "billing_frequency": "once", "contract_term": 6}
    shown = api(rep).call("POST", "/contracts", body).json()
    assert shown["payment_schedule"] == [{"due_on": "2026-03-01", "amount": 100.0}]
    assert shown["end_date"] == "2026-08-31"


def test_refuses_a_deal_that_is_not_won(api, rep):
    deal = make_deal(owner=rep, **TERMS)
    answer = api(rep).call("POST", "/contracts", {"opportunity_id": str(deal.pk)})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["reason"] == "opportunity_not_won"
    assert not Contract.objects.exists()


def test_names_the_terms_that_are_missing(api, rep):
    deal = make_deal(owner=rep, stage="closed_won", amount=Decimal(5), contract_term=12)
    answer = api(rep).call("POST", "/contracts", {"opportunity_id": str(deal.pk)})
    assert answer.status_code == 400
    assert list(answer.json()["error"]["details"]["fields"]) == [
        "start_date",
        "payment_terms",
        "billing_frequency",
    ]
    assert not Contract.objects.exists()


def test_refuses_payments_that_do_not_come_to_the_amount(api, rep, deal):
    body = {
        "opportunity_id": str(deal.pk),
        "payment_schedule": [{"due_on": "2026-03-01", "amount": 99.99}],
    }
    answer = api(rep).call("POST", "/contracts", body)
    assert answer.status_code == 400
    details = answer.json()["error"]["details"]
    assert (details["reason"], details["payments"]) == ("schedule_mismatch", "99.99")
    assert not Contract.objects.exists()


def test_a_deal_has_one_contract_that_stands(api, rep, deal):
    first = api(rep).call("POST", "/contracts", {"opportunity_id": str(deal.pk)}).json()
    again = api(rep).call("POST", "/contracts", {"opportunity_id": str(deal.pk)})
    assert again.status_code == 409
    assert again.json()["error"]["details"]["contract_id"] == first["id"]
    assert Contract.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_draws_it_up(deal, system):
    def draw(_):
        create_contract(opportunity_id=deal.pk, actor=system)

    assert outcomes_at_once(draw, range(2)) == ["contract_exists", "done"]
    assert Contract.objects.get().status == "drawn_up"


def test_who_does_not_see_the_deal_finds_nothing(api, outsider, rep, deal):
    body = {"opportunity_id": str(deal.pk)}
    assert api(outsider).call("POST", "/contracts", body).status_code == 404
    contract = api(rep).call("POST", "/contracts", body).json()
    client = api(outsider)
    assert client.call("GET", f"/contracts/{contract['id']}").status_code == 404
    assert client.call("GET", f"/opportunities/{deal.pk}/contracts").status_code == 404
    assert client.call("GET", "/contracts").json()["data"] == []


def test_a_contract_goes_where_its_deal_goes(api, manager, outsider, rep, deal, system):
    create_contract(opportunity_id=deal.pk, actor=system)
    reassign_opportunity(opportunity_id=deal.pk, owner_id=outsider.pk, actor=system)
    assert api(rep).call("GET", "/contracts").json()["data"] == []
    assert len(api(outsider).call("GET", "/contracts").json()["data"]) == 1


# --- Changing ---------------------------------------------------------------------------------


@pytest.fixture
def contract(deal, system):
    """The contract of the deal."""
    return create_contract(opportunity_id=deal.pk, actor=system)


def test_other_terms_make_other_payments(api, rep, contract):
    shown = (
        api(rep)
        .call("PUT", f"/contracts/{contract.pk}", {"contract_term": 7, "payment_terms": "net_60"})
        .json()
    )
    assert [one["amount"] for one in shown["payment_schedule"]] == [42.86, 42.86, 14.28]
    assert shown["end_date"] == "2026-09-30"
    assert [one["changed"] for one in told("contract.updated")] == [
        ["contract_term", "payment_terms", "payment_schedule"]
    ]
    assert Change.objects.filter(row_id=contract.pk).count() == 2


def test_the_same_terms_again_tell_nothing(api, rep, contract):
    api(rep).call("PUT", f"/contracts/{contract.pk}", {"contract_term": 12})
    assert told("contract.updated") == []


def test_a_stated_schedule_stays_when_only_the_payment_terms_change(api, rep, contract):
    client = api(rep)
    schedule = [{"due_on": "2026-04-01", "amount": 100.0}]
    client.call("PUT", f"/contracts/{contract.pk}", {"payment_schedule": schedule})
    shown = client.call("PUT", f"/contracts/{contract.pk}", {"payment_terms": "net_10"}).json()
    assert shown["payment_schedule"] == schedule


def test_who_only_reads_changes_nothing(api, contract, admin):
    viewer = UserFactory(role=Role.READ_ONLY)
    contract.opportunity.owner = viewer
    contract.opportunity.save(update_fields=["owner"])
    answer = api(viewer).call("PUT", f"/contracts/{contract.pk}", {"contract_term": 1})
    assert answer.status_code == 403
    contract.refresh_from_db()
    assert contract.contract_term == 12


# --- Billing's answer -------------------------------------------------------------------------


@pytest.fixture
def billing(rep):
    """The billing system, which sees what the rep sees."""
    return UserFactory(role=Role.ADMIN, name="Billing")


def test_billing_says_its_number_once(api, billing, contract):
    client = api(billing)
    for _ in range(2):
        shown = client.call(
            "POST", f"/contracts/{contract.pk}/acknowledge", {"external_id": "C-1"}
        ).json()
    assert (shown["status"], shown["external_system"]) == ("acknowledged", "billing")
    assert told("contract.acknowledged") == [
        {
            "contract_id": str(contract.pk),
            "opportunity_id": str(contract.opportunity_id),
            "external_system": "billing",
            "external_id": "C-1",
        }
    ]
    other = client.call("POST", f"/contracts/{contract.pk}/acknowledge", {"external_id": "C-2"})
    assert other.status_code == 409
    assert other.json()["error"]["details"]["reason"] == "acknowledged_otherwise"


def test_a_number_belongs_to_one_contract(rep, contract, system):
    acknowledge_sale(opportunity_id=contract.opportunity_id, external_id="C-1", actor=system)
    other = make_deal(owner=rep, stage="closed_won", amount=Decimal(5), **TERMS)
    with pytest.raises(Refusal) as refused:
        acknowledge_sale(opportunity_id=other.pk, external_id="C-1", actor=system)
    assert refused.value.reason == "acknowledged_otherwise"
    assert Contract.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_contracts_with_one_number_at_once_one_is_refused(rep, deal, system):
    other = make_deal(owner=rep, stage="closed_won", amount=Decimal(5), **TERMS)

    def acknowledge(opportunity_id):
        acknowledge_sale(opportunity_id=opportunity_id, external_id="C-1", actor=system)

    assert outcomes_at_once(acknowledge, [deal.pk, other.pk]) == ["acknowledged_otherwise", "done"]
    assert Contract.objects.get().status == "acknowledged"


def test_billing_was_faster_than_anybody_here(api, billing, deal):
    body = {"opportunity_id": str(deal.pk), "external_id": "C-7", "billing_frequency": "annually"}
    for _ in range(2):
        made = api(billing).call("POST", "/contracts/sales", body).json()
    assert (made["status"], made["billing_frequency"]) == ("acknowledged", "annually")
    assert len(told("contract.created")) == len(told("contract.acknowledged")) == 1


def test_a_rep_does_not_speak_for_billing(api, rep, contract):
    answer = api(rep).call("POST", f"/contracts/{contract.pk}/acknowledge", {"external_id": "1"})
    assert answer.status_code == 403
    contract.refresh_from_db()
    assert contract.status == "drawn_up"


# --- Reopening --------------------------------------------------------------------------------


def test_a_reopened_deal_has_no_contract_and_gets_another(
    deal, contract, system, deliver_events, api, rep
):
    reopen_opportunity(opportunity_id=deal.pk, actor=system)
    deliver_events()
    contract.refresh_from_db()
    assert contract.status == "void"
    assert [one["contract_id"] for one in told("contract.voided")] == [str(contract.pk)]
    answer = api(rep).call("PUT", f"/contracts/{contract.pk}", {"contract_term": 3})
    assert answer.json()["error"]["details"]["reason"] == "contract_is_void"
    move_opportunity(opportunity_id=deal.pk, stage="closed_won", actor=system)
    again = create_contract(opportunity_id=deal.pk, actor=system)
    deliver_events()
    again.refresh_from_db()
    assert again.status == "drawn_up"


def test_old_news_of_reopening_leaves_the_next_contract_alone(deal, contract, system):
    reopen_opportunity(opportunity_id=deal.pk, actor=system)
    deal.refresh_from_db()
    news = credits_told([deal])
    assert void_contracts(told=news, actor=system) == 1
    assert void_contracts(told=news, actor=system) == 0
    move_opportunity(opportunity_id=deal.pk, stage="closed_won", actor=system)
    create_contract(opportunity_id=deal.pk, actor=system)
    assert void_contracts(told=news, actor=system) == 0


# --- Rules ------------------------------------------------------------------------------------


@given(
    cents=st.integers(0, 10**15 - 1),
    months=st.integers(1, 120),
    frequency=st.sampled_from([*MONTHS_BETWEEN_BILLS, "once"]),
    start=st.dates(date(2000, 1, 1), date(2100, 1, 1)),
)
def test_payments_come_to_the_amount_within_the_contract(cents, months, frequency, start):
    amount = Decimal(cents) / 100
    found = payments(
        amount=amount, start_date=start, contract_term=months, billing_frequency=frequency
    )
    assert sum(one.amount for one in found) == amount
    assert found[0].due_on == start
    assert all(start <= one.due_on <= last_day(start, months) for one in found)
    assert [one.due_on for one in found] == sorted({one.due_on for one in found})


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (date(2026, 3, 1), 12, date(2027, 2, 28)),
        (date(2026, 1, 31), 1, date(2026, 2, 27)),
        (date(2024, 2, 29), 12, date(2025, 2, 27)),
    ],
)
def test_the_last_day_is_the_one_before_it_begins_again(start, months, end):
    assert last_day(start, months) == end
