"""Submitting forecasts: what people say, kept in versions."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.db import DatabaseError, connection, transaction

from apps.core.models import BusinessEvent
from apps.core.periods import moments_of
from apps.forecasts.errors import PeriodEnded
from apps.forecasts.models import ForecastSubmission
from apps.forecasts.services.submissions import submit_forecast
from apps.opportunities.services.deals import delete_opportunity
from apps.users.models import Role
from tests.factories.accounts import AccountFactory
from tests.factories.forecasts import next_quarter, this_quarter, today
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory


def body(**changes):
    return {
        "period": this_quarter().key,
        "forecast_type": "commit",
        "amount": 5000000.00,
        "notes": "Conservative estimate based on pipeline coverage",
        **changes,
    }


def test_answers_as_the_source_shows_it(api, rep, west, outsider, system):
    account = AccountFactory(owner=outsider)
    place = {"account": account, "territory_id": west.pk, "expected_close_date": today()}
    make_deal(**place, amount=Decimal("8000000.00"))
    make_deal(**place, amount=Decimal("500000.00"), stage="negotiation")
    # None of these is open in that territory and period.
    make_deal(**place, amount=Decimal("1.00"), stage="closed_won")
    make_deal(**place, amount=Decimal("1.00"), stage="closed_lost")
    make_deal(**place, amount=Decimal("1.00"), forecast_category="omitted")
    make_deal(**place, amount=Decimal("1.00"), currency="EUR")
    make_deal(account=account, amount=Decimal("1.00"), expected_close_date=today())
    make_deal(**{**place, "expected_close_date": next_quarter().starts_on}, amount=Decimal(1))
    gone = make_deal(**place, amount=Decimal("1.00"), owner=rep)
    delete_opportunity(opportunity_id=gone.pk, actor=system)

    answer = api(rep).call("POST", "/forecasts", body(territory_id=west.pk))
    assert answer.status_code == 201, answer.content
    submission = ForecastSubmission.objects.get()
    assert answer.json() == {
        "id": str(submission.pk),
        "period": this_quarter().key,
        "forecast_type": "commit",
        "amount": 5000000.00,
        "current_pipeline": 8500000.00,
        "pipeline_coverage": 1.7,
        "created_at": submission.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert b'"amount":5000000.00,"current_pipeline":8500000.00' in answer.content
    assert (submission.territory, submission.user, submission.currency) == (west, None, "USD")
    assert (submission.starts_on, submission.ends_on) == (
        this_quarter().starts_on,
        this_quarter().ends_on,
    )
    assert submission.notes == "Conservative estimate based on pipeline coverage"
    assert submission.submitted_by_id == rep.pk
    told = BusinessEvent.objects.get(name="forecast.submitted")
    assert (told.topic, told.aggregate_id, told.actor_id) == (
        "sales.forecasts",
        west.pk,
        rep.pk,
    )
    assert "notes" not in told.payload


def test_covers_nothing_at_zero(api, rep, west):
    answer = api(rep).call("POST", "/forecasts", body(territory_id=west.pk, amount=0))
    assert answer.status_code == 201
    assert answer.json()["pipeline_coverage"] is None
    assert answer.json()["current_pipeline"] == 0


def test_a_person_speaks_for_themselves_and_a_manager_for_the_team(api, rep, manager):
    make_deal(owner=rep, amount=Decimal("10.00"), expected_close_date=today())
    for who in (rep, manager):
        answer = api(who).call("POST", "/forecasts", body(user_id=rep.pk, amount=3))
        assert answer.status_code == 201, answer.content
        assert answer.json()["current_pipeline"] == 10.00
        assert answer.json()["pipeline_coverage"] == 3.3333
    assert set(ForecastSubmission.objects.values_list("user", "submitted_by_id")) == {
        (rep.pk, rep.pk),
        (rep.pk, manager.pk),
    }


def test_every_version_stays(api, rep, west):
    client = api(rep)
    ids = [
        client.call("POST", "/forecasts", body(territory_id=west.pk, amount=amount)).json()["id"]
        for amount in (100, 200, 200)
    ]
    client.call(
        "POST", "/forecasts", body(territory_id=west.pk, forecast_type="best_case", amount=7)
    )
    chain = ForecastSubmission.objects.filter(forecast_type="commit").order_by("created_at")
    assert [str(one.pk) for one in chain] == ids
    assert [one.supersedes_id and str(one.supersedes_id) for one in chain] == [None, *ids[:2]]
    assert [one.amount for one in chain] == [100, 200, 200]
    for change in ({"amount": 1}, {"notes": ""}):
        with pytest.raises(DatabaseError, match="never altered"), transaction.atomic():
            ForecastSubmission.objects.filter(pk=ids[0]).update(**change)
    with pytest.raises(DatabaseError, match="never altered"), transaction.atomic():
        ForecastSubmission.objects.filter(pk=ids[2]).delete()


def test_the_same_request_under_one_key_submits_once(api, rep, west):
    client = api(rep)
    first, second = (
        client.call("POST", "/forecasts", body(territory_id=west.pk), idempotency_key="one")
        for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert ForecastSubmission.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"period": "Q5_2026"}, "period"),
        ({"period": "2026"}, "period"),
        ({"period": None}, "period"),
        ({"forecast_type": "closed"}, "forecast_type"),
        ({"forecast_type": "guess"}, "forecast_type"),
        ({"amount": -1}, "amount"),
        ({"amount": 1.001}, "amount"),
        ({"amount": "much"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": 10**14}, "amount"),
        ({"currency": "XYZ"}, "currency"),
        ({"notes": "x" * 5001}, "notes"),
        ({"notes": "a\x00b"}, "notes"),
        ({"colour": "red"}, "colour"),
        ({"territory_id": "west"}, "territory_id"),
        ({"territory_id": str(uuid4())}, "territory_id"),
        ({"user_id": str(uuid4())}, "territory_id"),
        ({"territory_id": None}, "territory_id"),
    ],
)
def test_refuses_what_makes_no_sense(api, rep, west, change, field):
    answer = api(rep).call("POST", "/forecasts", {**body(territory_id=west.pk), **change})
    assert answer.status_code == 400, answer.content
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert field in error["details"].get("fields", {field: ""})
    assert not ForecastSubmission.objects.exists()
    assert not BusinessEvent.objects.filter(topic="sales.forecasts").exists()


@pytest.mark.parametrize("missing", ["period", "forecast_type", "amount", "territory_id"])
def test_needs_the_essentials(api, rep, west, missing):
    sent = body(territory_id=west.pk)
    del sent[missing]
    answer = api(rep).call("POST", "/forecasts", sent)
    assert answer.status_code == 400
    assert missing in answer.json()["error"]["details"]["fields"]
    assert not ForecastSubmission.objects.exists()


def test_refuses_what_lies_out_of_reach_or_is_switched_off(api, rep, manager, outsider, west):
    for who, place in (
        (outsider, {"territory_id": west.pk}),
        (outsider, {"user_id": rep.pk}),
        (rep, {"user_id": manager.pk}),
        (rep, {"territory_id": TerritoryFactory().pk}),
        (manager, {"user_id": UserFactory(manager=manager, is_active=False).pk}),
    ):
        answer = api(who).call("POST", "/forecasts", body(**place))
        assert answer.status_code == 400, answer.content
        assert next(iter(place)) in answer.json()["error"]["details"]["fields"]
    west.is_active = False
    west.save()
    answer = api(rep).call("POST", "/forecasts", body(territory_id=west.pk))
    assert answer.json()["error"]["details"]["reason"] == "territory_inactive"
    assert not ForecastSubmission.objects.exists()


def test_refuses_who_only_reads(api, west):
    viewer = UserFactory(role=Role.READ_ONLY)
    answer = api(viewer).call("POST", "/forecasts", body(territory_id=west.pk))
    assert answer.status_code == 403
    assert not ForecastSubmission.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_one_chain(rep, acting):
    actor = acting(rep)
    assert actor.reach.user_ids == (rep.pk,)
    start = threading.Barrier(4)

    def submit(amount):
        start.wait()
        try:
            submit_forecast(
                period=this_quarter().key,
                forecast_type="commit",
                amount=Decimal(amount),
                user_id=rep.pk,
                actor=actor,
            )
        finally:
            connection.close()

    threads = [threading.Thread(target=submit, args=(amount,)) for amount in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert ForecastSubmission.objects.count() == 4
    latest = ForecastSubmission.objects.get(superseded_by=None)
    length = 0
    while latest is not None:
        length, latest = length + 1, latest.supersedes
    assert length == 4


def test_refuses_a_period_that_has_ended(api, rep, west):
    answer = api(rep).call("POST", "/forecasts", body(territory_id=west.pk, period="Q1_2020"))
    assert answer.status_code == 400, answer.content
    error = answer.json()["error"]
    assert (error["code"], error["details"]["reason"]) == ("VALIDATION_ERROR", "period_ended")
    assert error["details"]["fields"] == {"period": ["Q1_2020 has ended."]}
    assert not ForecastSubmission.objects.exists()
    assert not BusinessEvent.objects.filter(topic="sales.forecasts").exists()


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Pacific/Honolulu"])
def test_the_last_day_of_a_period_counts_where_the_organisation_is(acting, rep, settings, zone):
    settings.ORGANISATION_TIME_ZONE = zone
    quarter = this_quarter()
    _, end = moments_of(quarter.starts_on, quarter.ends_on)
    said = {
        "period": quarter.key,
        "forecast_type": "commit",
        "amount": Decimal(1),
        "user_id": rep.pk,
        "actor": acting(rep),
    }
    with time_machine.travel(end - timedelta(seconds=1), tick=False):
        submit_forecast(**said)
    with time_machine.travel(end, tick=False), pytest.raises(PeriodEnded):
        submit_forecast(**said)
    assert ForecastSubmission.objects.count() == 1
