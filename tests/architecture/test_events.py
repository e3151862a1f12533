"""Events: named once, explained, and the same after a trip through the journal."""

from __future__ import annotations

import inspect
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.events import all_kinds, from_payload, to_payload
from apps.core.journal import subscribers

KINDS = all_kinds()
IDS = [kind.name for kind in KINDS]
PERSONAL = {"email", "phone", "first_name", "last_name", "contact_name", "address", "notes"}

MONEY = st.decimals(min_value=0, max_value=10**12, places=2, allow_nan=False)
st.register_type_strategy(Decimal, MONEY)
st.register_type_strategy(date, st.dates())
st.register_type_strategy(dict, lambda _: st.dictionaries(st.text(), st.integers(0, 9)))
st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
st.register_type_strategy(float, st.integers(0, 100).map(float))


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_an_event_is_a_frozen_explained_dataclass(kind):
    assert is_dataclass(kind.event_class)
    assert kind.event_class.__dataclass_params__.frozen
    assert inspect.getdoc(kind.event_class)
    assert kind.topic.startswith("sales.")
    assert kind.name.count(".") == 1


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_an_event_carries_no_personal_data(kind):
    assert not {field.name for field in fields(kind.event_class)} & PERSONAL


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_an_event_survives_the_journal(kind):
    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.from_type(kind.event_class))
    def survives(event):
        assert from_payload(kind.name, to_payload(event)) == event

    survives()


def test_every_subscriber_hears_events_that_exist():
    names = set(IDS)
    assert all(set(one.event_names) <= names for one in subscribers())
