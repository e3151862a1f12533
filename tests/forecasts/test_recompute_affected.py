"""Forecasts follow their deals: only those affected, once, whatever happens."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from apps.core.errors import NotAllowed
from apps.core.journal import replay
from apps.core.models import BusinessEvent, EventDelivery
from apps.core.periods import organisation_day
from apps.forecasts.models import ForecastFact, ForecastSnapshot
from apps.forecasts.rules import Node
from apps.forecasts.selectors.nodes import period_named, periods_open_at
from apps.forecasts.services.computation import compute_forecasts, recompute_affected
from apps.opportunities.services.deals import (
    change_opportunity,
    delete_opportunity,
    reassign_opportunity,
    restore_opportunity,
)
from apps.opportunities.services.stages import move_opportunity, reopen_opportunity
from tests.factories.accounts import AccountFactory
from tests.factories.forecasts import next_quarter, this_month, this_quarter, this_year, today
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory

SUBSCRIBER = "forecasts.recompute_forecasts"


@pytest.fixture
def deal(rep, west, deliver_events):
    """A deal that closes today, already forecast."""
    deal = make_deal(
        owner=rep,
        territory_id=west.pk,
        amount=Decimal("1000.00"),
        expected_close_date=today(),
    )
    deliver_events()
    return deal


def open_amount(node, period):
    found = ForecastSnapshot.objects.filter(
        node_id=node.pk, period=period.key, is_current=True
    ).first()
    return found and found.open_amount


def computed_since(moment):
    """Which forecasts were computed after a moment."""
    found = ForecastSnapshot.objects.filter(taken_at__gt=moment)
    return {(one.node_id, one.period) for one in found}


def around(day, *nodes):
    """The forecasts of nodes in which a day lies."""
    keys = [one.key for one in periods_open_at(timezone.now()) if day in one]
    return {(node.pk, key) for node in nodes for key in keys}


def test_a_new_deal_is_forecast_within_its_periods_only(rep, west, deal):
    assert computed_since(deal.created_at) == around(today(), rep, west)
    assert open_amount(rep, this_quarter()) == Decimal("1000.00")
    assert open_amount(west, this_year()) == Decimal("1000.00")
    assert open_amount(west, next_quarter()) is None
    assert set(ForecastSnapshot.objects.values_list("kind", flat=True)) == {"event"}


def test_a_changed_stage_is_told_as_the_source_shows_it(rep, west, deal, system, deliver_events):
    since = timezone.now()
    move_opportunity(opportunity_id=deal.pk, stage="proposal", actor=system)
    deliver_events()
    assert computed_since(since) == around(today(), rep, west)
    snapshot = ForecastSnapshot.objects.get(
        node_id=west.pk, period=this_quarter().key, is_current=True
    )
    told = [
        one.payload
        for one in BusinessEvent.objects.filter(
            name="forecast.updated", occurred_at__gt=since, aggregate_id=west.pk
        ).order_by("sequence")
        if one.payload["period"] == this_quarter().key
    ]
    generated_at = snapshot.taken_at.isoformat().replace("+00:00", "Z")
    place = {
        "period": this_quarter().key,
        "territory_id": str(west.pk),
        "generated_at": generated_at,
        "user_id": None,
        "currency": "USD",
        "node_id": str(west.pk),
    }
    assert told == [
        {
            **place,
            "forecast_type": "best_case",
            "amount": 1000.00,
            "probability_weighted_amount": 500.00,
            "breakdown": [
                {
                    "stage": "proposal",
                    "count": 1,
                    "total_amount": 1000.00,
                    "weighted_amount": 500.00,
                }
            ],
        },
        {
            **place,
            "forecast_type": "pipeline",
            "amount": 0.00,
            "probability_weighted_amount": 0.00,
            "breakdown": [],
        },
    ]
    topics = BusinessEvent.objects.filter(name="forecast.updated").values_list("topic", flat=True)
    assert set(topics) == {"sales.forecasts"}


def test_a_handed_over_deal_changes_both_sides(rep, west, outsider, deal, system, deliver_events):
    east = TerritoryFactory()
    bystander = make_deal(expected_close_date=today(), amount=Decimal("5.00"))
    deliver_events()
    since = timezone.now()
    reassign_opportunity(
        opportunity_id=deal.pk, owner_id=outsider.pk, territory_id=east.pk, actor=system
    )
    deliver_events()
    assert computed_since(since) == around(today(), rep, west, outsider, east)
    assert open_amount(rep, this_quarter()) == 0
    assert open_amount(west, this_quarter()) == 0
    assert open_amount(outsider, this_quarter()) == Decimal("1000.00")
    assert open_amount(east, this_quarter()) == Decimal("1000.00")
    assert open_amount(bystander.owner, this_quarter()) == Decimal("5.00")


def test_a_postponed_deal_goes_from_one_period_to_the_other(rep, deal, system, deliver_events):
    since = timezone.now()
    later = next_quarter().starts_on
    change_opportunity(opportunity_id=deal.pk, expected_close_date=later, actor=system)
    deliver_events()
    touched = {key for node_id, key in computed_since(since) if node_id == rep.pk}
    assert touched == {key for day in (today(), later) for _, key in around(day, rep)}
    assert open_amount(rep, this_quarter()) == 0
    assert open_amount(rep, next_quarter()) == Decimal("1000.00")


def test_a_won_deal_is_closed_and_a_reopened_one_is_not(rep, deal, system, deliver_events):
    for stage in ("proposal", "negotiation", "closed_won"):
        move_opportunity(opportunity_id=deal.pk, stage=stage, actor=system)
    deliver_events()
    snapshot = ForecastSnapshot.objects.get(
        node_id=rep.pk, period=this_month().key, is_current=True
    )
    assert (snapshot.open_amount, snapshot.closed_amount) == (0, Decimal("1000.00"))
    assert ForecastFact.objects.get(ended_at=None).counts_on == organisation_day(timezone.now())
    reopen_opportunity(opportunity_id=deal.pk, actor=system)
    deliver_events()
    snapshot = ForecastSnapshot.objects.get(
        node_id=rep.pk, period=this_month().key, is_current=True
    )
    assert (snapshot.open_amount, snapshot.closed_amount) == (Decimal("1000.00"), 0)


def test_the_bin_takes_a_deal_out_and_gives_it_back(rep, deal, system, deliver_events):
    delete_opportunity(opportunity_id=deal.pk, actor=system)
    deliver_events()
    assert open_amount(rep, this_quarter()) == 0
    restore_opportunity(opportunity_id=deal.pk, actor=system)
    deliver_events()
    assert open_amount(rep, this_quarter()) == Decimal("1000.00")


def test_a_period_forecast_before_is_kept_true_though_it_is_not_open(
    rep, deal, system, deliver_events
):
    old = period_named("Q1_2020")
    compute_forecasts(actor=system, periods=[old], nodes=[Node(user_id=rep.pk)])
    change_opportunity(opportunity_id=deal.pk, expected_close_date=old.starts_on, actor=system)
    deliver_events()
    assert open_amount(rep, old) == Decimal("1000.00")
    assert open_amount(rep, this_quarter()) == 0


def test_what_does_not_count_affects_nothing(deal, system, deliver_events):
    since = timezone.now()
    change_opportunity(opportunity_id=deal.pk, next_step="Call", actor=system)
    make_deal(amount=Decimal("9.00"))
    make_deal(amount=Decimal("9.00"), expected_close_date=next_quarter().ends_on + timedelta(800))
    deliver_events()
    assert not computed_since(since)
    assert not EventDelivery.objects.exists()


def test_hearing_it_twice_changes_nothing(deal, deliver_events):
    snapshots = list(ForecastSnapshot.objects.order_by("pk").values())
    facts = list(ForecastFact.objects.values())
    told = BusinessEvent.objects.count()
    for happened in BusinessEvent.objects.filter(aggregate_id=deal.pk):
        if happened.name == "opportunity.created":
            replay(event_sequence=happened.sequence, subscriber=SUBSCRIBER)
    assert deliver_events() == 1
    assert list(ForecastSnapshot.objects.order_by("pk").values()) == snapshots
    assert list(ForecastFact.objects.values()) == facts
    assert BusinessEvent.objects.count() == told


def test_many_changes_are_computed_once(rep, west, system):
    account = AccountFactory(owner=rep)
    deals = [
        make_deal(
            account=account,
            territory_id=west.pk,
            amount=Decimal("10.00"),
            expected_close_date=today(),
        )
        for _ in range(20)
    ]
    count = recompute_affected(opportunity_ids=[one.pk for one in deals], actor=system)
    assert count == ForecastSnapshot.objects.count() == len(around(today(), rep, west))
    assert open_amount(west, this_month()) == Decimal("200.00")


def test_costs_the_same_for_one_deal_and_for_many(rep, west, system, django_assert_num_queries):
    account = AccountFactory(owner=rep)
    for many in (1, 12):
        deals = [
            make_deal(account=account, territory_id=west.pk, expected_close_date=today())
            for _ in range(many)
        ]
        with django_assert_num_queries(16):
            recompute_affected(opportunity_ids=[one.pk for one in deals], actor=system)


def test_refuses_who_may_not(acting, rep):
    deal = make_deal(owner=rep, expected_close_date=today())
    with pytest.raises(NotAllowed):
        recompute_affected(opportunity_ids=[deal.pk], actor=acting(rep))
    assert not ForecastFact.objects.exists()
