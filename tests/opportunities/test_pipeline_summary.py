"""What is in the pipeline for a period."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from apps.core.periods import parse_period
from apps.opportunities.selectors import pipeline_summary
from apps.opportunities.services.stages import move_opportunity
from tests.factories.accounts import AccountFactory
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory

Q1 = parse_period("Q1_2026")
TODAY = date(2026, 2, 15)


def deal(owner, stage, amount, closes_on, **facts):
    return make_deal(
        owner=owner,
        stage=stage,
        amount=Decimal(amount),
        expected_close_date=date.fromisoformat(closes_on),
        **facts,
    )


@pytest.fixture
def deals(rep):
    deal(rep, "discovery", "300000", "2026-03-31")
    deal(rep, "discovery", "500000", "2026-01-01")
    deal(rep, "qualification", "900000", "2026-02-15")
    deal(rep, "qualification", "1000", "2026-04-01")
    deal(rep, "closed_won", "7000", "2026-02-01")
    make_deal(owner=rep, amount=Decimal(4000))


def test_adds_up_open_deals_of_the_period_as_the_source_shows_it(api, rep, deals):
    answer = api(rep).call("GET", f"/opportunities/pipeline?owner_id={rep.pk}&period=Q1_2026")
    assert answer.status_code == 200, answer.content
    body = answer.json()
    overdue = body.pop("overdue")
    assert body == {
        "period": "Q1_2026",
        "owner_id": str(rep.pk),
        "currency": "USD",
        "summary": {
            "total_count": 3,
            "total_amount": 1700000.00,
            "weighted_amount": 520000.00,
        },
        "by_stage": [
            {
                "stage": "discovery",
                "count": 2,
                "total_amount": 800000.00,
                "probability": 20,
                "weighted_amount": 160000.00,
            },
            {
                "stage": "qualification",
                "count": 1,
                "total_amount": 900000.00,
                "probability": 40,
                "weighted_amount": 360000.00,
            },
        ],
        "other_currencies": [],
    }
    assert overdue == {"count": 3, "total_amount": 1700000.00}


def test_counts_overdue_deals_in_and_shows_them_apart(rep, acting, deals):
    found = pipeline_summary(actor=acting(rep), period=Q1, today=TODAY)
    assert found.summary.count == 3
    assert (found.overdue.count, found.overdue.total_amount) == (1, Decimal("500000.00"))


def test_a_probability_set_by_hand_weighs_in(rep, acting):
    deal(rep, "discovery", "100", "2026-03-01")
    by_hand = deal(rep, "discovery", "300", "2026-03-01", probability=60)
    assert by_hand.probability_source == "manual"
    (stage,) = pipeline_summary(actor=acting(rep), period=Q1, today=TODAY).by_stage
    assert stage.amounts.weighted_amount == Decimal("200.00")
    assert stage.probability == 50


def test_without_any_amount_the_probability_is_the_deals(rep, acting):
    deal(rep, "proposal", "0", "2026-03-01")
    (stage,) = pipeline_summary(actor=acting(rep), period=Q1, today=TODAY).by_stage
    assert (stage.probability, stage.amounts.weighted_amount) == (50, Decimal("0.00"))


def test_counts_every_deal_within_reach_once(rep, outsider, manager, admin, acting):
    territory = TerritoryFactory()
    TerritoryMemberFactory(territory=territory, user=rep)
    deal(rep, "discovery", "1", "2026-03-01", territory_id=territory.pk)
    deal(rep, "discovery", "10", "2026-03-01")
    deal(outsider, "discovery", "100", "2026-03-01", territory_id=territory.pk)
    deal(outsider, "discovery", "1000", "2026-03-01")

    def total(who, **narrowed):
        found = pipeline_summary(actor=acting(who), period=Q1, today=TODAY, **narrowed)
        return found.summary.total_amount

    assert total(rep) == 111
    assert total(manager) == 111
    assert total(outsider) == 1100
    assert total(admin) == 1111
    assert total(rep, owner_id=rep.pk) == 11
    assert total(rep, owner_id=outsider.pk) == 100
    assert total(outsider, owner_id=rep.pk) == 0
    assert total(admin, owner_id=outsider.pk) == 1100


def test_never_mixes_currencies(rep, acting):
    euros = AccountFactory(owner=rep, currency="EUR")
    deal(rep, "discovery", "100", "2026-03-01")
    deal(rep, "discovery", "50", "2026-03-01", account=euros)
    found = pipeline_summary(actor=acting(rep), period=Q1, today=TODAY)
    assert (found.currency, found.summary.total_amount) == ("USD", Decimal("100.00"))
    assert found.other_currencies["EUR"].total_amount == Decimal("50.00")
    only_euros = pipeline_summary(
        actor=acting(rep), period=Q1, today=TODAY, owner_id=euros.owner_id
    )
    assert only_euros.currency == "USD"


def test_leaves_out_what_was_closed_or_deleted(api, rep, manager, acting):
    won = deal(rep, "negotiation", "100", "2026-03-01")
    gone = deal(rep, "discovery", "10", "2026-03-01")
    move_opportunity(opportunity_id=won.pk, stage="closed_won", actor=acting(rep))
    api(manager).call("DELETE", f"/opportunities/{gone.pk}")
    found = pipeline_summary(actor=acting(rep), period=Q1, today=TODAY)
    assert (found.summary.count, found.by_stage) == (0, ())
    assert found.summary.weighted_amount == Decimal("0.00")


def test_is_one_statement(rep, acting, deals, django_assert_num_queries):
    actor = acting(rep)
    assert actor.reach.user_ids
    with django_assert_num_queries(1):
        pipeline_summary(actor=actor, period=Q1, today=TODAY)


@pytest.mark.parametrize(
    ("query", "field"),
    [("period=2026", "period"), ("owner_id=me", "owner_id"), ("colour=red", "colour")],
)
def test_refuses_what_makes_no_sense(api, rep, query, field):
    answer = api(rep).call("GET", f"/opportunities/pipeline?{query}")
    assert answer.status_code == 400
    assert field in answer.json()["error"]["details"]["fields"]


def test_without_a_period_it_is_the_current_quarter(api, rep):
    assert api(rep).call("GET", "/opportunities/pipeline").json()["period"].startswith("Q")
