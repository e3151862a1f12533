"""What activities come to, what became of their deals, and how soon leads are answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from apps.activities.rules import outcome_kind
from apps.activities.services.activities import change_activity
from apps.opportunities.services.stages import move_opportunity
from tests.factories.activities import make_activity
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import make_deal
from tests.factories.users import actor_of

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
DAYS = "from=2026-02-01&to=2026-02-28"


@pytest.fixture
def worked(rep, manager, system):
    """A deal that is won, one that is not, and a lead that was called."""
    with time_machine.travel(NOON, tick=False) as clock:
        won, open_deal = make_deal(owner=rep, stage="proposal"), make_deal(owner=rep)
        lead = LeadFactory(owner=rep, created_at=NOON)
        LeadFactory(owner=rep, created_at=NOON)
        clock.shift(timedelta(hours=1))
        make_activity(by=rep, opportunity_id=won.pk, duration_minutes=10)
        make_activity(by=manager, opportunity_id=open_deal.pk, type="demo", duration_minutes=30)
        make_activity(by=rep, lead_id=lead.pk)
        clock.shift(timedelta(hours=1))
        move_opportunity(opportunity_id=won.pk, stage="negotiation", actor=system)
        make_activity(by=rep, opportunity_id=won.pk, type="meeting")
        make_activity(by=rep, lead_id=lead.pk)
        clock.shift(timedelta(hours=1))
        move_opportunity(opportunity_id=won.pk, stage="closed_won", actor=system)
    return lead


def told(client, by, rest=""):
    answer = client.call("GET", f"/activities/analytics?by={by}&{DAYS}{rest}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def brief(found):
    return [
        (one["name"] or one["key"], one["count"], one["minutes"], one["deals"], one["won"])
        for one in found["groups"]
    ]


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("type", [("call", 3, 10, 1, 1), ("demo", 1, 30, 1, 0), ("meeting", 1, 0, 1, 1)]),
        ("person", [("Rex Rep", 4, 10, 1, 1), ("Mia Manager", 1, 30, 1, 0)]),
        (
            "stage",
            [
                ("", 2, 0, 0, 0),
                ("Discovery", 1, 30, 1, 0),
                ("Negotiation", 1, 0, 1, 1),
                ("Proposal", 1, 10, 1, 1),
            ],
        ),
        ("month", [("M02_2026", 5, 40, 2, 1)]),
        ("outcome", [("", 5, 40, 2, 1)]),
    ],
)
def test_activities_are_told_apart_with_what_became_of_their_deals(api, rep, worked, by, groups):
    assert brief(told(api(rep), by)) == groups


def test_leads_are_answered_by_the_first_activity_that_was_done(api, rep, worked):
    found = told(api(rep), "type")
    answers = {"leads": 2, "answered": 1, "median_minutes": 60, "nine_of_ten_minutes": 60}
    assert found["response"] == answers
    owner = {"id": str(rep.pk), "name": "Rex Rep"}
    assert found["response_by_owner"] == [{"owner": owner, **answers}]


def test_what_came_in_answers_no_lead(api, rep):
    with time_machine.travel(NOON, tick=False) as clock:
        lead = LeadFactory(owner=rep, created_at=NOON)
        clock.shift(timedelta(minutes=5))
        make_activity(by=rep, lead_id=lead.pk, direction="inbound")
        clock.shift(timedelta(minutes=5))
        nobody = told(api(rep), "type")["response"]
        make_activity(by=rep, lead_id=lead.pk, direction="outbound", type="email")
        clock.shift(timedelta(minutes=5))
        make_activity(by=rep, lead_id=lead.pk)
    assert (nobody["answered"], nobody["median_minutes"]) == (0, None)
    found = told(api(rep), "type")["response"]
    assert (found["answered"], found["median_minutes"]) == (1, 10)


def test_only_what_is_within_reach_counts(api, rep, manager, outsider, worked):
    nothing = {"leads": 0, "answered": 0, "median_minutes": None, "nine_of_ten_minutes": None}
    found = told(api(outsider), "type")
    assert (found["groups"], found["response"], found["response_by_owner"]) == ([], nothing, [])
    assert brief(told(api(rep), "type", f"&user_id={manager.pk}")) == [("demo", 1, 30, 1, 0)]


@pytest.mark.parametrize(
    "query", ["", "by=weather", "by=type&from=2026-02-02&to=2026-02-01", "by=type&sort=up"]
)
def test_refuses_what_can_not_be_asked(api, rep, query):
    assert api(rep).call("GET", f"/activities/analytics?{query}").status_code == 400


def test_outcomes_are_counted_however_they_are_spelt(api, rep):
    with time_machine.travel(NOON, tick=False):
        lead = LeadFactory(owner=rep)
        for outcome in ("No answer.", "no_answer", "Held", "Wants it in blue", "other", "", " "):
            made = make_activity(by=rep, lead_id=lead.pk, outcome=outcome)
        make_activity(by=rep, lead_id=lead.pk, type="meeting", outcome="HELD")
    client = api(rep)
    assert [(one["key"], one["count"]) for one in told(client, "outcome")["groups"]] == [
        ("", 2),
        ("held", 2),
        ("no_answer", 2),
        ("other", 2),
    ]
    calls, meetings = told(client, "type")["groups"]
    assert {one["outcome"]: one["count"] for one in calls["outcomes"]} == {
        "no_answer": 2,
        "held": 1,
        "other": 2,
    }
    assert meetings["outcomes"] == [{"outcome": "held", "count": 1}]
    change_activity(activity_id=made.pk, outcome="Left voicemail", actor=actor_of(rep))
    [listed] = client.call("GET", "/activities?outcome_kind=left_voicemail").json()["data"]
    assert (listed["id"], listed["outcome"]) == (str(made.pk), "Left voicemail")


def test_an_outcome_counts_once_it_is_completed(api, rep):
    lead = LeadFactory(owner=rep)
    task = make_activity(by=rep, lead_id=lead.pk, type="task")
    client = api(rep)
    client.call("POST", f"/activities/{task.pk}/complete", {"outcome": "Not interested!"})
    assert client.call("GET", f"/activities/{task.pk}").json()["outcome_kind"] == "not_interested"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("", ""),
        ("  ", ""),
        ("Voicemail", "left_voicemail"),
        ("canceled", "cancelled"),
        ("NO-SHOW", "no_show"),
        ("not interested", "not_interested"),
        ("interested in the blue one", "other"),
        ("…", "other"),
        ("42", "other"),
    ],
)
def test_words_count_as_what_they_say(words, kind):
    assert outcome_kind(words) == kind
