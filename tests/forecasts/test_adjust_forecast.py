"""Adjusting forecasts: what those who lead take them for, kept in versions."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.db import DatabaseError, IntegrityError, transaction

from apps.core.errors import InvalidInput, NotAllowed, NotFound
from apps.core.exchange_rates import ExchangeRateMissing, set_exchange_rate
from apps.core.models import BusinessEvent
from apps.core.periods import moments_of
from apps.forecasts.errors import NotAbove, PeriodEnded
from apps.forecasts.models import ForecastAdjustment, ForecastSnapshot, ForecastSubmission
from apps.forecasts.services.adjustments import adjust_forecast
from apps.forecasts.services.computation import compute_forecasts
from apps.forecasts.services.submissions import submit_forecast
from apps.territories.models import Territory
from apps.users.models import Role
from tests.at_once import outcomes_at_once
from tests.factories.forecasts import ForecastSubmissionFactory, this_quarter, today
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory


@pytest.fixture
def forecast(rep, west, system):
    """The rep's computed forecast of this quarter."""
    make_deal(
        owner=rep, territory_id=west.pk, amount=Decimal("900.00"), expected_close_date=today()
    )
    compute_forecasts(actor=system, periods=[this_quarter()])
    return of(rep)


def of(node):
    return ForecastSnapshot.objects.get(node_id=node.pk, period=this_quarter().key, is_current=True)


def adjusted(actor, forecast, amount="800.00", **facts):
    return adjust_forecast(
        forecast_id=forecast.pk,
        amount=Decimal(amount),
        reason=facts.pop("reason", "The buyer left."),
        actor=actor,
        **facts,
    )


def test_stands_beside_what_was_computed_and_submitted(api, rep, manager, forecast, acting):
    submit_forecast(
        period=this_quarter().key,
        forecast_type="commit",
        amount=Decimal("1000.00"),
        user_id=rep.pk,
        actor=acting(rep),
    )
    answer = api(manager).call(
        "POST",
        f"/forecasts/{forecast.pk}/adjustments",
        {"amount": 750.5, "reason": "  The buyer left.  "},
    )
    assert answer.status_code == 201, answer.content
    adjustment = ForecastAdjustment.objects.get()
    assert answer.json() == {
        "id": str(adjustment.pk),
        "period": this_quarter().key,
        "user_id": str(rep.pk),
        "territory_id": None,
        "forecast_type": "commit",
        "amount": 750.50,
        "currency": "USD",
        "supersedes_id": None,
        "created_at": adjustment.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert (adjustment.reason, adjustment.adjusted_by_id) == ("The buyer left.", manager.pk)
    (row,) = (
        api(rep).call("GET", f"/forecasts/{this_quarter().key}?user_id={rep.pk}").json()["data"]
    )
    assert (row["open_amount"], row["submissions"]["commit"]["amount"]) == (900.00, 1000.00)
    assert row["adjustments"] == {
        "commit": {
            "id": str(adjustment.pk),
            "amount": 750.50,
            "currency": "USD",
            "reason": "The buyer left.",
            "adjusted_by": str(manager.pk),
            "adjusted_at": answer.json()["created_at"],
        }
    }
    told = BusinessEvent.objects.get(name="forecast.adjusted")
    assert (told.topic, told.aggregate_id, told.actor_id) == (
        "sales.forecasts",
        rep.pk,
        manager.pk,
    )
    assert "reason" not in told.payload
    (listed,) = api(rep).call("GET", "/forecasts/adjustments").json()["data"]
    assert (listed["reason"], listed["adjusted_by"]["name"], listed["is_latest"]) == (
        "The buyer left.",
        "Mia Manager",
        True,
    )


def test_of_what_was_submitted_its_type_is_meant(rep, manager, acting, system):
    set_exchange_rate(
        currency="EUR", valid_from=date(2020, 1, 1), rate=Decimal("1.1"), actor=system
    )
    submitted = submit_forecast(
        period=this_quarter().key,
        forecast_type="best_case",
        amount=Decimal("10.00"),
        currency="EUR",
        user_id=rep.pk,
        actor=acting(rep),
    ).submission
    adjustment = adjusted(acting(manager), submitted)
    assert (adjustment.forecast_type, adjustment.currency, adjustment.period) == (
        "best_case",
        "EUR",
        this_quarter().key,
    )
    assert adjusted(acting(manager), submitted, forecast_type="commit").supersedes_id is None


def test_refuses_a_currency_that_nothing_is_worth_in(api, rep, manager, forecast, acting):
    with pytest.raises(ExchangeRateMissing):
        adjusted(acting(manager), forecast, currency="EUR")
    told = {
        "period": this_quarter().key,
        "forecast_type": "commit",
        "amount": 5,
        "user_id": str(rep.pk),
    }
    for currency, reason in (("EUR", "exchange_rate_missing"), ("XXX", "invalid_input")):
        answer = api(rep).call("POST", "/forecasts", {**told, "currency": currency})
        assert answer.json()["error"]["details"]["reason"] == reason
    assert not ForecastAdjustment.objects.exists()
    assert not ForecastSubmission.objects.exists()


def test_every_version_stays_and_none_is_altered(manager, forecast, acting, system):
    versions = [adjusted(acting(manager), forecast, amount) for amount in ("1", "2")]
    compute_forecasts(actor=system, periods=[this_quarter()])
    versions.append(adjusted(acting(manager), forecast, "3"))
    assert [one.supersedes_id for one in versions] == [None, *(one.pk for one in versions[:2])]
    for change in ({"amount": 9}, {"reason": "Other"}):
        with pytest.raises(DatabaseError, match="never altered"), transaction.atomic():
            ForecastAdjustment.objects.filter(pk=versions[0].pk).update(**change)
    with pytest.raises(DatabaseError, match="never altered"), transaction.atomic():
        ForecastAdjustment.objects.filter(pk=versions[2].pk).delete()


def test_anybody_above_in_the_reporting_line_may(rep, manager, forecast, acting):
    director = UserFactory(role=Role.SALES_MANAGER)
    manager.manager = director
    manager.save()
    assert adjusted(acting(director), forecast).adjusted_by_id == director.pk


def test_whoever_manages_a_territory_or_one_above_it_may(west, forecast, acting):
    owner, member, above = (UserFactory(role=Role.SALES_MANAGER) for _ in range(3))
    region = TerritoryFactory(owner=above)
    Territory.objects.filter(pk=west.pk).update(owner=owner, parent_territory=region)
    TerritoryMemberFactory(territory=west, user=member, role="manager")
    for who in (owner, member, above):
        assert adjusted(acting(who), of(west)).adjusted_by_id == who.pk


def test_an_administrator_may_of_everybody_else(admin, forecast, acting, system):
    assert adjusted(acting(admin), forecast).adjusted_by_id == admin.pk
    compute_forecasts(actor=system, periods=[this_quarter()])
    with pytest.raises(NotAbove):
        adjusted(acting(admin), of(admin))


def test_refuses_whoever_does_not_lead(rep, manager, west, forecast, acting):
    TerritoryMemberFactory(
        territory=west,
        user=manager,
        role="manager",
        valid_from=today() - timedelta(days=9),
        valid_until=today() - timedelta(days=1),
    )
    seer = TerritoryMemberFactory(territory=west, user__role=Role.SALES_MANAGER).user
    for who, whose in ((manager, manager), (manager, west), (seer, west)):
        with pytest.raises(NotAbove):
            adjusted(acting(who), of(whose))
    with pytest.raises(NotAllowed):
        adjusted(acting(rep), forecast)
    assert not ForecastAdjustment.objects.exists()
    assert not BusinessEvent.objects.filter(name="forecast.adjusted").exists()


def test_what_lies_out_of_reach_is_not_there(forecast, acting):
    stranger = UserFactory(role=Role.SALES_MANAGER)
    for forecast_id in (forecast.pk, uuid4()):
        with pytest.raises(NotFound):
            adjust_forecast(
                forecast_id=forecast_id, amount=Decimal(1), reason="Why", actor=acting(stranger)
            )
    assert not ForecastAdjustment.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reason": ""}, "reason"),
        ({"reason": "   "}, "reason"),
        ({"reason": None}, "reason"),
        ({"amount": -1}, "amount"),
        ({"amount": 1.001}, "amount"),
        ({"amount": "much"}, "amount"),
        ({"forecast_type": "closed"}, "forecast_type"),
        ({"currency": "XYZ"}, "currency"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_refuses_what_makes_no_sense(api, manager, forecast, change, field):
    body = {"amount": 1, "reason": "Why", **change}
    answer = api(manager).call("POST", f"/forecasts/{forecast.pk}/adjustments", body)
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["error"]["details"].get("fields", {field: ""})
    assert not ForecastAdjustment.objects.exists()


def test_a_reason_is_more_than_blanks(manager, forecast, acting):
    with pytest.raises(InvalidInput):
        adjusted(acting(manager), forecast, reason=" \n ")
    with pytest.raises(IntegrityError), transaction.atomic():
        ForecastAdjustment.objects.create(
            user=manager,
            period="Q1_2020",
            starts_on=today(),
            ends_on=today(),
            forecast_type="commit",
            currency="USD",
            reason="",
            adjusted_by_id=manager.pk,
        )


@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_one_chain(manager, forecast, acting):
    actor = acting(manager)
    assert actor.reach.user_ids
    amounts = ["1", "2", "3", "4"]
    assert outcomes_at_once(lambda one: adjusted(actor, forecast, one), amounts) == ["done"] * 4
    latest = ForecastAdjustment.objects.get(superseded_by=None)
    length = 0
    while latest is not None:
        length, latest = length + 1, latest.supersedes
    assert length == ForecastAdjustment.objects.count() == 4


def test_refuses_to_adjust_what_has_ended(manager, forecast, acting):
    quarter = this_quarter()
    _, end = moments_of(quarter.starts_on, quarter.ends_on)
    actor = acting(manager)
    with time_machine.travel(end - timedelta(seconds=1), tick=False):
        adjusted(actor, forecast)
    with time_machine.travel(end, tick=False), pytest.raises(PeriodEnded):
        adjusted(actor, forecast)
    assert ForecastAdjustment.objects.count() == 1
    assert BusinessEvent.objects.filter(name="forecast.adjusted").count() == 1


def test_refuses_to_adjust_a_submission_of_long_ago(api, rep, manager):
    past = ForecastSubmissionFactory(user=rep, period="Q1_2020")
    answer = api(manager).call(
        "POST", f"/forecasts/{past.pk}/adjustments", {"amount": 1, "reason": "The buyer left."}
    )
    assert answer.status_code == 400, answer.content
    assert answer.json()["error"]["details"]["reason"] == "period_ended"
    assert not ForecastAdjustment.objects.exists()
