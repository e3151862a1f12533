"""What migrations fill from encrypted columns."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.db import connection

from apps.activities.models import Activity
from apps.core.encryption import existing
from apps.core.encryption.existing import fill_from_encrypted
from apps.core.models import Change, DataKey
from tests.factories.activities import make_activity
from tests.factories.leads import LeadFactory


@pytest.fixture
def calls(rep, monkeypatch):
    """Calls of which telephony told the direction, more than go into a batch."""
    monkeypatch.setattr(existing, "BATCH", 2)
    lead = LeadFactory(owner=rep)
    directions = ["inbound", "outbound", "sideways", "inbound", "outbound"]
    told = [
        make_activity(by=rep, lead_id=lead.pk, metadata={"direction": one}) for one in directions
    ]
    return [*told, make_activity(by=rep, lead_id=lead.pk)]


def fill():
    fill_from_encrypted(
        Activity,
        SimpleNamespace(connection=connection),
        source="metadata",
        target="direction",
        made=lambda metadata: {"inbound": "inbound", "outbound": "outbound"}.get(
            metadata.get("direction"), ""
        ),
    )


def directions():
    return list(Activity.objects.order_by("pk").values_list("direction", flat=True))


def test_fills_every_row_of_which_something_follows_and_leaves_no_trace(calls):
    before = Change.objects.count()
    for _ in range(2):
        fill()
    assert directions() == ["inbound", "outbound", "", "inbound", "outbound", ""]
    assert Change.objects.count() == before
    Activity.objects.filter(pk=calls[0].pk).update(direction="outbound")
    assert Change.objects.count() == before + 1


def test_leaves_rows_of_people_who_were_erased(calls, system):
    DataKey.objects.update(wrapped=None, destroyed_at=calls[0].created_at)
    fill()
    assert directions() == [""] * 6
