"""Months, fiscal quarters and fiscal years."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import InvalidInput
from apps.core.periods import PeriodKind, parse_period, period_containing


@pytest.mark.parametrize(
    ("key", "start_month", "starts_on", "ends_on"),
    [
        ("Q1_2026", 1, date(2026, 1, 1), date(2026, 3, 31)),
        ("Q4_2026", 1, date(2026, 10, 1), date(2026, 12, 31)),
        ("M02_2028", 1, date(2028, 2, 1), date(2028, 2, 29)),
        ("FY_2026", 1, date(2026, 1, 1), date(2026, 12, 31)),
        ("FY_2026", 4, date(2025, 4, 1), date(2026, 3, 31)),
        ("Q4_2026", 4, date(2026, 1, 1), date(2026, 3, 31)),
        ("M03_2026", 4, date(2026, 3, 1), date(2026, 3, 31)),
    ],
)
def test_a_key_names_whole_days(key, start_month, starts_on, ends_on):
    period = parse_period(key, start_month=start_month)
    assert (period.starts_on, period.ends_on) == (starts_on, ends_on)


@pytest.mark.parametrize(
    "key", ["Q5_2026", "Q1_26", "M13_2026", "M3_2026", "FY2026", "", "Q1_0001"]
)
def test_refuses_what_is_no_period(key):
    with pytest.raises(InvalidInput):
        parse_period(key)


_REPORTED = [PeriodKind.MONTH, PeriodKind.QUARTER]


@pytest.mark.parametrize(
    ("key", "asked", "fields"),
    [
        ("March", {}, {"period": ["Write a period as Q1_2026, M03_2026 or FY_2026."]}),
        ("March", {"kinds": _REPORTED}, {"period": ["Write a period as Q1_2026 or M03_2026."]}),
        ("FY_2026", {"kinds": _REPORTED}, {"period": ["Write a period as Q1_2026 or M03_2026."]}),
        (
            "Q1_2026",
            {"kinds": [PeriodKind.YEAR], "name": "fiscal_year"},
            {"fiscal_year": ["Write a fiscal year as FY_2026."]},
        ),
    ],
)
def test_says_which_periods_are_meant(key, asked, fields):
    with pytest.raises(InvalidInput) as refused:
        parse_period(key, **asked)
    assert refused.value.details["fields"] == fields


@given(
    st.dates(date(1995, 1, 1), date(2190, 1, 1)),
    st.sampled_from(PeriodKind),
    st.integers(1, 12),
)
def test_every_day_lies_in_exactly_one_period_of_a_kind(day, kind, start_month):
    period = period_containing(day, kind, start_month=start_month)
    assert day in period
    assert parse_period(period.key, start_month=start_month) == period
    before = period_containing(period.starts_on - timedelta(days=1), kind, start_month=start_month)
    assert before.ends_on + timedelta(days=1) == period.starts_on
