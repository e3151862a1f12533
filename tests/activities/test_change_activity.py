"""Completing activities, changing them, and the bin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.activities.errors import ActivityAlreadyCompleted
from apps.activities.models import Activity
from apps.activities.services.activities import (
    change_activity,
    complete_activity,
    delete_activity,
    restore_activity,
)
from apps.core.data_keys import destroy_keys
from apps.core.errors import NotAllowed, NotFound
from apps.core.loading import update_rows
from apps.core.models import BusinessEvent
from apps.leads.models import Lead
from apps.privacy.selectors import Subject
from apps.privacy.services.erasures import erase_person
from apps.privacy.services.exports import everything_about
from apps.users.models import Role
from tests.factories.accounts import AccountFactory
from tests.factories.activities import make_activity
from tests.factories.leads import LeadFactory
from tests.factories.users import UserFactory

AT = datetime(2026, 2, 11, 8, 30, tzinfo=UTC)


def events_of(activity):
    events = BusinessEvent.objects.filter(aggregate_id=activity.pk).order_by("sequence")
    return [(one.name, one.payload) for one in events]


@pytest.fixture
def task(rep):
    """Something still to be done about a lead."""
    lead = LeadFactory(owner=rep)
    return make_activity(by=rep, lead_id=lead.pk, type="task", subject="Send the offer")


def test_completes_a_task(api, rep, task):
    answer = api(rep).call(
        "POST",
        f"/activities/{task.pk}/complete",
        {"outcome": "sent", "duration_minutes": 5, "completed_at": "2026-02-11T08:30:00Z"},
    )
    assert (answer.status_code, answer.json()["completed_at"]) == (200, "2026-02-11T08:30:00Z")
    after = Activity.objects.get(pk=task.pk)
    assert (after.outcome, after.duration_minutes, after.timeline_at) == ("sent", 5, AT)
    assert Lead.objects.get(pk=task.lead_id).last_activity_at == AT
    name, payload = events_of(task)[-1]
    assert (name, payload["completed_at"], payload["duration_minutes"]) == (
        "activity.completed",
        "2026-02-11T08:30:00Z",
        5,
    )


def test_is_completed_once(acting, rep, task):
    complete_activity(activity_id=task.pk, completed_at=AT, outcome="sent", actor=acting(rep))
    with pytest.raises(ActivityAlreadyCompleted):
        complete_activity(activity_id=task.pk, outcome="lost", actor=acting(rep))
    after = Activity.objects.get(pk=task.pk)
    assert (after.completed_at, after.outcome) == (AT, "sent")
    assert [name for name, _ in events_of(task)] == ["activity.logged", "activity.completed"]


def test_completing_keeps_what_is_left_out(acting, rep, task):
    change_activity(activity_id=task.pk, duration_minutes=9, actor=acting(rep))
    complete_activity(activity_id=task.pk, actor=acting(rep))
    after = Activity.objects.get(pk=task.pk)
    assert (after.outcome, after.duration_minutes) == ("", 9)


def test_refuses_an_outcome_until_it_was_done(api, rep, task):
    client, told = api(rep), {"outcome": "No answer."}
    answer = client.call("PATCH", f"/activities/{task.pk}", {**told, "subject": "Send it again"})
    assert answer.status_code == 400, answer.content
    assert answer.json()["error"]["details"]["fields"] == {
        "outcome": ["What is still to be done has no outcome yet."]
    }
    after = Activity.objects.get(pk=task.pk)
    assert (after.subject, after.outcome, after.outcome_kind) == ("Send the offer", "", "")
    assert len(events_of(task)) == 1
    assert client.call("POST", f"/activities/{task.pk}/complete", told).status_code == 200
    assert Activity.objects.get(pk=task.pk).outcome_kind == "no_answer"
    assert client.call("PATCH", f"/activities/{task.pk}", {"outcome": "held"}).status_code == 200
    assert Activity.objects.get(pk=task.pk).outcome_kind == "held"


def test_an_outcome_stated_too_early_counts_once_it_was_done(acting, rep, task):
    task.outcome = "interested"
    update_rows([task], ["outcome"])
    change_activity(
        activity_id=task.pk, subject="Send it again", outcome="interested", actor=acting(rep)
    )
    planned = Activity.objects.get(pk=task.pk)
    assert (planned.subject, planned.outcome_kind) == ("Send it again", "")
    complete_activity(activity_id=task.pk, actor=acting(rep))
    after = Activity.objects.get(pk=task.pk)
    assert (after.outcome, after.outcome_kind) == ("interested", "interested")


def test_a_stranger_locks_nothing_by_asking(acting, outsider, task):
    with CaptureQueriesContext(connection) as captured, pytest.raises(NotFound):
        complete_activity(activity_id=task.pk, actor=acting(outsider))
    assert [one["sql"] for one in captured if '"leads_lead"' in one["sql"]] == []
    assert Activity.objects.get(pk=task.pk).completed_at is None


def test_refuses_to_complete_ahead_of_time(api, rep, task):
    ahead = {"completed_at": "2999-01-01T00:00:00Z"}
    answer = api(rep).call("POST", f"/activities/{task.pk}/complete", ahead)
    assert answer.status_code == 400
    assert Activity.objects.get(pk=task.pk).completed_at is None


@pytest.mark.django_db(transaction=True)
def test_two_who_complete_at_once_complete_once(acting, rep, task):
    together, outcomes = Barrier(2), []

    def complete():
        together.wait()
        try:
            complete_activity(activity_id=task.pk, actor=acting(rep))
            outcomes.append("done")
        except ActivityAlreadyCompleted:
            outcomes.append("refused")
        finally:
            connection.close()

    both = [Thread(target=complete) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(outcomes) == ["done", "refused"]
    assert [name for name, _ in events_of(task)].count("activity.completed") == 1


def test_changes_what_is_known_and_tells_which(api, rep, task, manager):
    answer = api(rep).call(
        "PUT",
        f"/activities/{task.pk}",
        {
            "subject": "Send the new offer",
            "type": "email",
            "user_id": str(manager.pk),
            "scheduled_at": "2030-01-01T09:00:00+02:00",
        },
    )
    assert answer.status_code == 200, answer.content
    assert answer.json()["subject"] == "Send the new offer"
    assert answer.json()["timeline_at"] == "2030-01-01T07:00:00.000000Z"
    after = Activity.objects.get(pk=task.pk)
    assert (after.type, after.user_id) == ("email", manager.pk)
    name, payload = events_of(task)[-1]
    assert (name, sorted(payload["changed"])) == (
        "activity.updated",
        ["scheduled_at", "subject", "type", "user_id"],
    )


def test_tells_nothing_where_nothing_changed(acting, rep, task):
    change_activity(activity_id=task.pk, subject=task.subject, actor=acting(rep))
    assert len(events_of(task)) == 1


@pytest.mark.parametrize(
    "facts",
    [
        {"subject": ""},
        {"type": "dance"},
        {"user_id": str(uuid4())},
        {"lead_id": str(uuid4())},
        {"completed_at": "2026-02-11T08:30:00Z"},
    ],
)
def test_refuses_a_change_that_makes_no_sense(api, rep, task, facts):
    answer = api(rep).call("PATCH", f"/activities/{task.pk}", {"outcome": "x", **facts})
    assert answer.status_code == 400
    assert Activity.objects.get(pk=task.pk).outcome == ""
    assert len(events_of(task)) == 1


def test_whoever_does_not_see_it_changes_nothing(acting, outsider, task):
    actor = acting(outsider)
    for change in (complete_activity, change_activity, delete_activity, restore_activity):
        with pytest.raises(NotFound):
            change(activity_id=task.pk, actor=actor)
    assert len(events_of(task)) == 1


def test_whoever_only_reads_changes_nothing(acting, task):
    reader = UserFactory(role=Role.READ_ONLY)
    Lead.objects.filter(pk=task.lead_id).update(owner=reader)
    for change in (complete_activity, change_activity, delete_activity):
        with pytest.raises(NotAllowed):
            change(activity_id=task.pk, actor=acting(reader))
    assert len(events_of(task)) == 1


def test_goes_into_the_bin_and_comes_back(api, rep, task):
    client = api(rep)
    assert client.call("DELETE", f"/activities/{task.pk}").status_code == 204
    assert client.call("GET", f"/activities/{task.pk}").status_code == 404
    assert client.call("GET", "/activities").json()["data"] == []
    assert client.call("DELETE", f"/activities/{task.pk}").status_code == 404
    assert client.call("POST", f"/activities/{task.pk}/restore").status_code == 200
    assert client.call("POST", f"/activities/{task.pk}/restore").status_code == 404
    assert client.call("GET", f"/activities/{task.pk}").status_code == 200
    assert [payload.get("changed") for _, payload in events_of(task)] == [None, ["bin"], ["bin"]]


def test_what_is_held_on_a_person_tells_and_loses_its_words(acting, admin, rep):
    lead = LeadFactory(owner=rep)
    subject = Subject(kind="leads", row_id=lead.pk)
    of_person = make_activity(by=rep, lead_id=lead.pk, description="Has a new phone", outcome="ok")
    again = make_activity(by=rep, lead_id=lead.pk, description="Has moved", duration_minutes=7)
    of_company = make_activity(by=rep, account_id=AccountFactory(owner=rep).pk, description="Rich")
    told = everything_about(subject.found(), acting(admin))
    assert [row["description"] for row in told["rows"]["activities"]] == [
        "Has a new phone",
        "Has moved",
    ]
    erase_person(subject=subject, reason="asked", actor=acting(admin))
    for one in (of_person, again):
        after = Activity.objects.get(pk=one.pk)
        assert (after.subject, after.description, after.outcome) == ("", "", "")
        assert (after.type, after.completed_at) == ("call", one.completed_at)
    assert Activity.objects.get(pk=again.pk).duration_minutes == 7
    assert Activity.objects.get(pk=of_company.pk).description == "Rich"


def test_an_activity_of_a_lost_key_is_still_listed(api, rep, task):
    destroy_keys([task.data_key_id])
    (row,) = api(rep).call("GET", "/activities").json()["data"]
    assert (row["id"], row["subject"]) == (str(task.pk), "")


def test_the_back_office_logs_completes_and_shows_the_timeline(client, rep):
    client.force_login(rep)
    lead = LeadFactory(owner=rep)
    log = reverse("admin:leads_lead_operation_log", args=[lead.pk])
    sent = client.post(log, {"type": "task", "subject": "Send the offer"})
    assert sent.status_code == 302, sent.content
    activity = Activity.objects.get()
    assert (activity.lead_id, activity.is_completed) == (lead.pk, False)
    page = client.get(reverse("admin:leads_lead_change", args=[lead.pk])).content.decode()
    assert "Send the offer" in page
    complete = reverse("admin:activities_activity_operation_complete", args=[activity.pk])
    assert client.post(complete, {"outcome": "sent"}).status_code == 302
    assert Activity.objects.get().outcome == "sent"
    listed = client.get(reverse("admin:activities_activity_changelist")).content.decode()
    assert "Send the offer" in listed
    shown = client.get(reverse("admin:activities_activity_change", args=[activity.pk]))
    assert "Send the offer" in shown.content.decode()


def test_the_back_office_refuses_an_outcome_of_what_is_still_to_be_done(client, rep):
    client.force_login(rep)
    lead = LeadFactory(owner=rep)
    told = {"type": "task", "subject": "Send the offer", "outcome": "interested"}
    for page in (
        reverse("admin:leads_lead_operation_log", args=[lead.pk]),
        reverse("admin:activities_activity_add"),
    ):
        answer = client.post(page, {**told, "lead": str(lead.pk)})
        assert answer.status_code == 200, page
        assert "What is still to be done has no outcome yet." in answer.content.decode()
    assert not Activity.objects.exists()


def test_the_back_office_adds_and_changes(client, rep):
    client.force_login(rep)
    account = AccountFactory(owner=rep)
    added = client.post(
        reverse("admin:activities_activity_add"),
        {"type": "demo", "subject": "Demo", "account": str(account.pk), "duration_minutes": "30"},
    )
    assert added.status_code == 302, added.content.decode()
    activity = Activity.objects.get()
    assert (activity.account_id, activity.user_id, activity.duration_minutes) == (
        account.pk,
        rep.pk,
        30,
    )
    page = reverse("admin:activities_activity_change", args=[activity.pk])
    client.post(page, {"type": "demo", "subject": "Second demo", "user": str(rep.pk)})
    after = Activity.objects.get()
    assert (after.subject, after.created_at) == ("Second demo", activity.created_at)
    assert after.completed_at - activity.completed_at == timedelta()
