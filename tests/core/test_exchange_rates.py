"""What other currencies are worth."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from apps.core.errors import InvalidInput, NotAllowed
from apps.core.exchange_rates import (
    ExchangeRateMissing,
    converted,
    rate_on,
    rates_on,
    set_exchange_rate,
)
from apps.core.models import BusinessEvent, ExchangeRate

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)


@pytest.fixture(autouse=True)
def _dollars(settings):
    settings.DEFAULT_CURRENCY = "USD"


def rate(value, *, on=JANUARY, actor, currency="EUR"):
    return set_exchange_rate(currency=currency, valid_from=on, rate=Decimal(value), actor=actor)


def test_the_latest_at_or_before_a_day_counts(db, system):
    rate("1.10", actor=system)
    rate("1.20", on=MARCH, actor=system)
    assert rate_on("EUR", JANUARY) == Decimal("1.10")
    assert rate_on("EUR", date(2026, 2, 28)) == Decimal("1.10")
    assert rate_on("EUR", MARCH) == Decimal("1.20")
    assert rate_on("EUR", date(2030, 1, 1)) == Decimal("1.20")


def test_a_missing_rate_is_refused_and_never_one(db, system):
    rate("1.10", on=FEBRUARY, actor=system)
    with pytest.raises(ExchangeRateMissing) as refusal:
        rate_on("EUR", date(2026, 1, 31))
    assert refusal.value.reason == "exchange_rate_missing"
    assert refusal.value.details == {"currency": "EUR", "day": "2026-01-31"}
    with pytest.raises(ExchangeRateMissing):
        converted(Decimal("10.00"), "JPY", FEBRUARY)


def test_the_organisation_s_own_currency_is_worth_one(db):
    assert rate_on("USD", JANUARY) == Decimal(1)


def test_converts_half_even_to_two_places(db, system):
    rate("0.5", actor=system)
    assert converted(Decimal("0.01"), "EUR", JANUARY) == Decimal("0.00")
    assert converted(Decimal("0.03"), "EUR", JANUARY) == Decimal("0.02")
    assert converted(Decimal("100.05"), "EUR", JANUARY) == Decimal("50.02")


def test_many_rates_cost_one_statement(db, system, django_assert_num_queries):
    rate("1.10", actor=system)
    with django_assert_num_queries(1):
        found = rates_on({("EUR", JANUARY), ("USD", MARCH), ("EUR", MARCH), ("JPY", MARCH)})
    assert found == {
        ("EUR", JANUARY): Decimal("1.10"),
        ("EUR", MARCH): Decimal("1.10"),
        ("USD", MARCH): Decimal(1),
    }


def test_a_rate_of_the_same_day_is_corrected_and_told_once(db, system):
    rate("1.10", actor=system)
    rate("1.10", actor=system)
    rate("1.11", actor=system)
    assert list(ExchangeRate.objects.values_list("rate", flat=True)) == [Decimal("1.11")]
    told = BusinessEvent.objects.filter(name="exchange_rate.set").order_by("sequence")
    assert [one.payload["previous_rate"] for one in told] == [None, 1.1]


@pytest.mark.parametrize(
    ("currency", "value", "field"),
    [
        ("USD", "1", "currency"),
        ("XXZ", "1", "currency"),
        ("EUR", "0", "rate"),
        ("EUR", "-1", "rate"),
        ("EUR", "NaN", "rate"),
        ("EUR", "0.00000000001", "rate"),
        ("EUR", "10000000000", "rate"),
    ],
)
def test_refuses_what_is_no_rate(db, system, currency, value, field):
    with pytest.raises(InvalidInput) as refusal:
        rate(value, currency=currency, actor=system)
    assert list(refusal.value.details["fields"]) == [field]
    assert not ExchangeRate.objects.exists()


def test_only_those_with_the_right_set_rates(manager, acting):
    with pytest.raises(NotAllowed):
        rate("1.10", actor=acting(manager))
    assert not ExchangeRate.objects.exists()


def test_is_set_and_listed_over_rest(admin, rep, api):
    body = {"currency": "EUR", "valid_from": "2026-01-01", "rate": "1.0825"}
    answer = api(admin).call("PUT", "/exchange-rates", body)
    assert answer.status_code == 200, answer.content
    assert answer.json()["rate"] == "1.0825"
    listed = api(rep).call("GET", "/exchange-rates?currency=EUR").json()
    assert [(one["valid_from"], one["rate"]) for one in listed["data"]] == [
        ("2026-01-01", "1.0825")
    ]
    assert api(rep).call("PUT", "/exchange-rates", body).status_code == 403
