"""How many activities there were."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.factories.activities import make_activity
from tests.factories.leads import LeadFactory


def on(day, hour=12):
    return datetime(2026, 2, day, hour, tzinfo=UTC)


@pytest.fixture
def worked(rep, manager):
    """A week of work on a lead."""
    lead = LeadFactory(owner=rep)
    make_activity(by=rep, lead_id=lead.pk, completed_at=on(2), duration_minutes=10)
    make_activity(by=rep, lead_id=lead.pk, completed_at=on(3), duration_minutes=20)
    make_activity(by=manager, lead_id=lead.pk, completed_at=on(10), type="demo")
    make_activity(by=rep, lead_id=lead.pk, scheduled_at=on(10), duration_minutes=99)
    return lead


def tally(count, completed, minutes):
    return {"count": count, "completed": completed, "minutes": minutes}


def test_counts_by_type_person_and_day(api, rep, manager, worked):
    asked = "/activities/summary?from=2026-02-01&to=2026-02-28"
    assert api(rep).call("GET", asked).json() == {
        "first": "2026-02-01",
        "last": "2026-02-28",
        "total": tally(4, 3, 30),
        "by_type": [{"type": "call", **tally(3, 2, 30)}, {"type": "demo", **tally(1, 1, 0)}],
        "by_user": [
            {"user": {"id": str(manager.pk), "name": "Mia Manager"}, **tally(1, 1, 0)},
            {"user": {"id": str(rep.pk), "name": "Rex Rep"}, **tally(3, 2, 30)},
        ],
        "by_day": [
            {"day": "2026-02-02", **tally(1, 1, 10)},
            {"day": "2026-02-03", **tally(1, 1, 20)},
            {"day": "2026-02-10", **tally(2, 1, 0)},
        ],
    }


def test_counts_by_week_and_for_one_person(api, rep, worked):
    asked = f"/activities/summary?from=2026-02-01&to=2026-02-28&step=week&user_id={rep.pk}"
    found = api(rep).call("GET", asked).json()
    assert found["by_day"] == [
        {"day": "2026-02-02", **tally(2, 2, 30)},
        {"day": "2026-02-09", **tally(1, 0, 0)},
    ]


def test_a_day_ends_where_the_organisation_is(api, rep, settings):
    settings.ORGANISATION_TIME_ZONE = "America/New_York"
    make_activity(by=rep, lead_id=LeadFactory(owner=rep).pk, completed_at=on(3, 2))
    for day, count in (("2026-02-02", 1), ("2026-02-03", 0)):
        found = api(rep).call("GET", f"/activities/summary?from={day}&to={day}").json()
        assert found["total"]["count"] == count


def test_counts_nothing_out_of_reach(api, outsider, worked):
    found = api(outsider).call("GET", "/activities/summary?from=2026-02-01&to=2026-02-28").json()
    assert found["total"] == tally(0, 0, 0)
    assert found["by_type"] == found["by_user"] == found["by_day"] == []


@pytest.mark.parametrize(
    "query",
    ["from=2026-02-02&to=2026-02-01", "from=2020-01-01&to=2026-01-01", "step=year", "from=x"],
)
def test_refuses_days_that_make_no_sense(api, rep, query):
    assert api(rep).call("GET", f"/activities/summary?{query}").status_code == 400
