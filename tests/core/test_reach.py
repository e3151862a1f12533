"""One rule of reach, told three ways: in SQL by arrays, in SQL by key, and on the locked row."""

from __future__ import annotations

import uuid

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.actors import Actor, Reach
from apps.leads.fields import LEADS
from apps.leads.models import Lead
from apps.leads.permissions import READ_LEAD
from tests.factories.leads import LeadFactory
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory

pytestmark = pytest.mark.django_db

PLACES = 3


@pytest.fixture
def people():
    return UserFactory.create_batch(PLACES)


@pytest.fixture
def territories():
    return TerritoryFactory.create_batch(PLACES)


@pytest.fixture
def leads(people, territories):
    """One lead for each owner or none, in each territory or none."""
    return [
        LeadFactory(owner=owner, territory=territory)
        for owner in (*people, None)
        for territory in (*territories, None)
    ]


def _seeing(reach: Reach) -> Actor:
    actor = Actor(uuid.uuid4(), "sales_rep", frozenset({READ_LEAD}))
    actor.__dict__["reach"] = reach
    return actor


some = st.sets(st.integers(0, PLACES - 1))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(who=some, where=some, unrouted=st.booleans(), everything=st.booleans())
def test_a_row_is_lockable_if_and_only_if_it_is_visible(
    leads, people, territories, who, where, unrouted, everything
):
    actor = _seeing(
        Reach(
            everything=everything,
            user_ids=tuple(people[one].pk for one in who),
            territory_ids=tuple(territories[one].pk for one in where),
            unrouted=unrouted,
        )
    )
    ids = [one.pk for one in leads]
    visible = set(Lead.objects.visible_to(actor).values_list("pk", flat=True))
    with transaction.atomic():
        assert set(Lead.objects.lock_visible_to(actor, ids)) == visible
    assert {one for one in ids if Lead.objects.one_visible_to(actor, one)} == visible
    assert {row["id"] for row in LEADS.with_ids(actor, ids)} == {str(one) for one in visible}
    assert set(LEADS.ids(actor, {}, limit=100)) == visible


def test_what_lies_in_the_bin_is_locked_only_when_asked_for(system, leads):
    binned, kept = leads[0], leads[1]
    Lead.objects.filter(pk=binned.pk).update(deleted_at=binned.created_at, deleted_by_id=system.id)
    ids = [binned.pk, kept.pk]
    with transaction.atomic():
        assert set(Lead.objects.lock_visible_to(system, ids)) == {kept.pk}
        assert set(Lead.objects.lock_visible_to(system, ids, in_bin=True)) == {binned.pk}


def test_a_locked_row_holds_what_the_database_holds(system):
    lead = LeadFactory(metadata={"a": [1, None]}, annual_revenue="12.50", employee_count=3)
    with transaction.atomic():
        locked = Lead.objects.lock_visible_to(system, [lead.pk])[lead.pk]
    read = Lead.objects.get(pk=lead.pk)
    names = [one.attname for one in Lead._meta.concrete_fields]
    assert {name: getattr(locked, name) for name in names} == {
        name: getattr(read, name) for name in names
    }


def test_locks_in_the_order_of_the_keys(system, leads):
    ids = sorted(one.pk for one in leads)
    with transaction.atomic():
        assert list(Lead.objects.lock_visible_to(system, reversed(ids))) == ids
