"""Submitted forecasts, and the days and periods that tests forecast."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from apps.core.periods import Period, organisation_day
from apps.forecasts.models import ForecastSubmission
from apps.forecasts.selectors.nodes import period_named, periods_open_at
from tests.factories.users import UserFactory


def this_year() -> Period:
    """The current fiscal year."""
    return periods_open_at(timezone.now())[0]


def this_quarter() -> Period:
    """The current quarter."""
    return periods_open_at(timezone.now())[1]


def next_quarter() -> Period:
    """The quarter after this one."""
    return periods_open_at(timezone.now())[2]


def this_month() -> Period:
    """The current month."""
    return periods_open_at(timezone.now())[3]


def today() -> date:
    """The organisation's day."""
    return organisation_day(timezone.now())


class ForecastSubmissionFactory(DjangoModelFactory):
    """A commitment of a person for the first quarter of 2026."""

    class Meta:
        model = ForecastSubmission

    user = factory.SubFactory(UserFactory)
    period = "Q1_2026"
    starts_on = factory.LazyAttribute(lambda one: period_named(one.period).starts_on)
    ends_on = factory.LazyAttribute(lambda one: period_named(one.period).ends_on)
    forecast_type = "commit"
    amount = Decimal("1000.00")
    currency = "USD"
    submitted_by_id = factory.SelfAttribute("user.pk")
