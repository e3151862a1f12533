"""Noting what was done and is to be done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.activities.models import Activity
from apps.activities.services.activities import log_activity
from apps.core.encryption.columns import PersonErased
from apps.core.errors import InvalidInput, NotAllowed, NotFound
from apps.core.models import BusinessEvent, Change
from apps.leads.models import Lead
from apps.leads.services.lifecycle import delete_lead
from apps.leads.services.merging import merge_leads
from apps.privacy.selectors import Subject
from apps.privacy.services.erasures import erase_person
from apps.users.models import Role
from tests.factories.accounts import AccountFactory, ContactFactory
from tests.factories.activities import make_activity
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import make_deal
from tests.factories.users import UserFactory

AT = datetime(2026, 2, 11, 8, 30, tzinfo=UTC)
CALL = {
    "type": "call",
    "subject": "Asked about the budget",
    "description": "They decide in March.",
    "outcome": "interested",
    "duration_minutes": 20,
    "completed_at": "2026-02-11T08:30:00Z",
    "metadata": {"call_recording_url": "https://calls.example/1"},
}


def names_of(row_id):
    events = BusinessEvent.objects.filter(aggregate_id=row_id).order_by("sequence")
    return [one.name for one in events]


def test_logs_a_call_and_tells_without_its_words(api, rep):
    lead = LeadFactory(owner=rep)
    answer = api(rep).call("POST", "/activities", {**CALL, "lead_id": str(lead.pk)})
    assert answer.status_code == 201, answer.content
    activity = Activity.objects.get()
    assert answer.json() == {
        "id": str(activity.pk),
        "type": "call",
        "scheduled_at": None,
        "completed_at": "2026-02-11T08:30:00Z",
        "created_at": activity.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert (activity.subject, activity.description) == (CALL["subject"], CALL["description"])
    assert (activity.outcome, activity.duration_minutes) == ("interested", 20)
    assert activity.metadata == CALL["metadata"]
    assert (activity.user, activity.owner, activity.territory) == (rep, rep, None)
    assert activity.timeline_at == AT
    about = {
        "activity_id": str(activity.pk),
        "type": "call",
        "user_id": str(rep.pk),
        "lead_id": str(lead.pk),
        "opportunity_id": None,
        "account_id": None,
        "contact_id": None,
    }
    logged, completed = BusinessEvent.objects.filter(aggregate_id=activity.pk).order_by("sequence")
    assert (logged.name, logged.topic) == ("activity.logged", "sales.activities")
    assert logged.payload == {**about, "scheduled_at": None, "completed_at": CALL["completed_at"]}
    assert completed.name == "activity.completed"
    assert completed.payload == {
        **about,
        "completed_at": CALL["completed_at"],
        "duration_minutes": 20,
    }


def test_the_history_tells_what_was_written(rep):
    activity = make_activity(by=rep, lead_id=LeadFactory(owner=rep).pk)
    (change,) = Change.objects.filter(kind="activities", row_id=activity.pk)
    assert (change.action, change.actor_id) == ("made", rep.pk)
    assert not {"owner_id", "territory_id", "timeline_at"} & change.after.keys()


@pytest.mark.parametrize(
    ("facts", "is_done"),
    [
        ({"type": "email"}, True),
        ({"type": "call"}, True),
        ({"type": "task"}, False),
        ({"type": "task", "completed_at": AT}, True),
        ({"type": "meeting", "scheduled_at": AT + timedelta(days=9_000)}, False),
        ({"type": "meeting", "scheduled_at": AT, "completed_at": AT}, True),
    ],
)
def test_is_done_unless_it_is_scheduled_or_a_task(rep, facts, is_done):
    activity = make_activity(by=rep, lead_id=LeadFactory(owner=rep).pk, **facts)
    assert activity.is_completed is is_done
    assert names_of(activity.pk) == ["activity.logged", "activity.completed"][: 1 + is_done]


def test_the_last_activity_of_a_lead_follows_and_its_version_stays(rep):
    lead = LeadFactory(owner=rep)
    for days in (0, -3, 2):
        make_activity(by=rep, lead_id=lead.pk, completed_at=AT + timedelta(days=days))
    make_activity(by=rep, lead_id=lead.pk, type="task")
    after = Lead.objects.get(pk=lead.pk)
    assert after.last_activity_at == AT + timedelta(days=2)
    assert (after.version, after.updated_at) == (lead.version, lead.updated_at)


def test_a_deal_names_its_account_and_shows_who_sees_it(rep):
    deal = make_deal(owner=rep)
    activity = make_activity(by=rep, opportunity_id=deal.pk)
    assert (activity.account_id, activity.owner_id) == (deal.account_id, rep.pk)


def test_opens_with_the_key_of_the_person_it_is_about(rep):
    lead = LeadFactory(owner=rep)
    contact = ContactFactory(account=AccountFactory(owner=rep))
    assert make_activity(by=rep, lead_id=lead.pk).data_key_id == lead.data_key_id
    of_contact = make_activity(by=rep, contact_id=contact.pk)
    assert of_contact.data_key_id == contact.data_key_id
    assert of_contact.account_id == contact.account_id
    of_account = make_activity(by=rep, account_id=contact.account_id)
    assert of_account.data_key_id not in (lead.data_key_id, contact.data_key_id, None)


def test_somebody_else_can_do_it(rep, manager):
    activity = make_activity(by=manager, lead_id=LeadFactory(owner=rep).pk, user_id=rep.pk)
    assert activity.user_id == rep.pk


def test_people_and_visible_contacts_take_part(rep, manager):
    account = AccountFactory(owner=rep)
    contact = ContactFactory(account=account)
    activity = make_activity(
        by=rep, account_id=account.pk, participants=[manager.pk, contact.pk], type="meeting"
    )
    assert Activity.objects.get(pk=activity.pk).participants == [manager.pk, contact.pk]


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"type": "dance"}, "type"),
        ({"subject": " "}, "subject"),
        ({"duration_minutes": -1}, "duration_minutes"),
        ({"duration_minutes": 44_641}, "duration_minutes"),
        ({"completed_at": "2999-01-01T00:00:00Z"}, "completed_at"),
        ({"completed_at": "yesterday"}, "completed_at"),
        ({"participants": [str(uuid4())]}, "participants"),
        ({"participants": "Jane"}, "participants"),
        ({"user_id": str(uuid4())}, "user_id"),
        ({"metadata": []}, "metadata"),
        ({"owner_id": str(uuid4())}, "owner_id"),
    ],
)
def test_refuses_what_makes_no_sense(api, rep, facts, field):
    lead = LeadFactory(owner=rep)
    answer = api(rep).call("POST", "/activities", {**CALL, "lead_id": str(lead.pk), **facts})
    assert answer.status_code == 400, answer.content
    assert list(answer.json()["error"]["details"]["fields"]) == [field]
    assert not Activity.objects.exists()
    assert Lead.objects.get(pk=lead.pk).last_activity_at is None


def test_refuses_an_activity_about_nothing(api, rep):
    answer = api(rep).call("POST", "/activities", CALL)
    assert (answer.status_code, answer.json()["error"]["details"]["reason"]) == (
        400,
        "activity_about_nothing",
    )
    assert not Activity.objects.exists()


def test_refuses_subjects_of_different_companies(api, rep):
    deal, other = make_deal(owner=rep), AccountFactory(owner=rep)
    about = {"opportunity_id": str(deal.pk), "account_id": str(other.pk)}
    answer = api(rep).call("POST", "/activities", {**CALL, **about})
    assert answer.json()["error"]["details"]["reason"] == "subjects_disagree"
    assert not Activity.objects.exists()


@pytest.mark.parametrize("subject", ["lead_id", "opportunity_id", "account_id", "contact_id"])
def test_what_is_out_of_reach_is_not_there(acting, rep, outsider, subject):
    account = AccountFactory(owner=rep)
    rows = {
        "lead_id": LeadFactory(owner=rep),
        "opportunity_id": make_deal(account=account),
        "account_id": account,
        "contact_id": ContactFactory(account=account),
    }
    with pytest.raises(NotFound):
        make_activity(by=outsider, **{subject: rows[subject].pk})
    with pytest.raises(NotFound):
        make_activity(by=rep, **{subject: uuid4()})
    assert not Activity.objects.exists()


def test_refuses_a_contact_that_one_does_not_see_among_participants(api, rep, outsider):
    account = AccountFactory(owner=outsider)
    hidden = ContactFactory(account=AccountFactory(owner=rep))
    body = {**CALL, "account_id": str(account.pk), "participants": [str(hidden.pk)]}
    assert api(outsider).call("POST", "/activities", body).status_code == 400
    assert not Activity.objects.exists()


def test_refuses_whoever_only_reads(db, acting):
    reader = UserFactory(role=Role.READ_ONLY)
    lead = LeadFactory(owner=reader)
    with pytest.raises(NotAllowed):
        log_activity(lead_id=lead.pk, type="call", subject="x", actor=acting(reader))
    assert not Activity.objects.exists()


def test_refuses_leads_in_the_bin_and_those_folded_into_another(acting, rep, manager):
    binned, survivor, duplicate = (LeadFactory(owner=rep) for _ in range(3))
    delete_lead(lead_id=binned.pk, actor=acting(manager))
    merge_leads(
        survivor_id=survivor.pk, duplicate_ids=[duplicate.pk], values={}, actor=acting(manager)
    )
    for gone in (binned, duplicate):
        with pytest.raises(NotFound):
            make_activity(by=rep, lead_id=gone.pk)
    assert not Activity.objects.exists()


def test_refuses_words_about_an_erased_person(acting, rep, admin):
    lead = LeadFactory(owner=rep)
    erase_person(subject=Subject(kind="leads", row_id=lead.pk), reason="asked", actor=acting(admin))
    with pytest.raises(PersonErased):
        make_activity(by=rep, lead_id=lead.pk)
    assert not Activity.objects.exists()


def test_the_same_key_logs_once(api, rep):
    body = {**CALL, "lead_id": str(LeadFactory(owner=rep).pk)}
    client = api(rep)
    first, again = (
        client.call("POST", "/activities", body, idempotency_key="call-1") for _ in range(2)
    )
    assert (first.status_code, again.json()) == (201, first.json())
    assert Activity.objects.count() == 1


def test_postgres_wants_something_it_is_about(rep):
    activity = make_activity(by=rep, lead_id=LeadFactory(owner=rep).pk)
    for column in ("lead_id", "type"):
        with pytest.raises(IntegrityError), transaction.atomic():
            Activity.objects.filter(pk=activity.pk).update(
                **{column: None if column == "lead_id" else "dance"}
            )
    assert timezone.now() - activity.created_at < timedelta(minutes=5)


def test_the_direction_is_told_narrowed_to_and_changed(api, rep):
    lead = LeadFactory(owner=rep)
    client, told = api(rep), {**CALL, "lead_id": str(lead.pk)}
    made = client.call("POST", "/activities", {**told, "direction": "inbound"}).json()["id"]
    client.call("POST", "/activities", told)
    [listed] = client.call("GET", "/activities?direction=inbound").json()["data"]
    assert (listed["id"], listed["direction"]) == (made, "inbound")
    assert client.call("GET", f"/activities/{made}").json()["metadata"] == CALL["metadata"]
    client.call("PATCH", f"/activities/{made}", {"direction": ""})
    assert set(Activity.objects.values_list("direction", flat=True)) == {""}


@pytest.mark.parametrize("field", ["scheduled_at", "completed_at"])
@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_refuses_moments_that_no_calendar_of_a_person_shows(api, rep, field, moment):
    told = {**CALL, "lead_id": str(LeadFactory(owner=rep).pk), field: moment}
    answer = api(rep).call("POST", "/activities", told)
    assert answer.status_code == 400, answer.content
    assert answer.json()["error"]["details"]["fields"] == {field: ["Give a day from 1990 to 2199."]}
    assert not Activity.objects.exists()


def test_refuses_a_direction_that_there_is_not(api, rep, acting):
    lead = LeadFactory(owner=rep)
    told = {**CALL, "lead_id": str(lead.pk), "direction": "sideways"}
    answer = api(rep).call("POST", "/activities", told)
    assert answer.json()["error"]["details"]["fields"].keys() == {"direction"}
    with pytest.raises(InvalidInput):
        make_activity(by=rep, lead_id=lead.pk, direction="sideways")
    met = api(rep).call("POST", "/activities", {**told, "type": "meeting", "direction": "inbound"})
    assert met.json()["error"]["details"]["fields"] == {
        "direction": ["Only e-mails and calls come in or go out."]
    }
    assert not Activity.objects.exists()


PLANNED = (
    {"type": "task"},
    {"type": "meeting", "scheduled_at": "2030-01-01T09:00:00Z"},
)
NO_OUTCOME_YET = {"outcome": ["What is still to be done has no outcome yet."]}


@pytest.mark.parametrize("plan", PLANNED)
def test_refuses_an_outcome_of_what_is_still_to_be_done(api, rep, plan):
    lead = LeadFactory(owner=rep)
    told = {"subject": "Send the offer", "outcome": "interested", "lead_id": str(lead.pk), **plan}
    answer = api(rep).call("POST", "/activities", told)
    assert answer.status_code == 400, answer.content
    assert answer.json()["error"]["details"]["fields"] == NO_OUTCOME_YET
    assert not Activity.objects.exists()
    assert not BusinessEvent.objects.filter(name="activity.logged").exists()


@pytest.mark.parametrize("plan", PLANNED)
def test_what_was_planned_and_is_noted_as_done_has_its_outcome(api, rep, plan):
    lead = LeadFactory(owner=rep)
    told = {**CALL, **plan, "lead_id": str(lead.pk)}
    assert api(rep).call("POST", "/activities", told).status_code == 201
    assert Activity.objects.get().outcome_kind == "interested"


def test_postgres_keeps_outcomes_to_what_was_done(rep):
    task = make_activity(by=rep, lead_id=LeadFactory(owner=rep).pk, type="task")
    with pytest.raises(IntegrityError), transaction.atomic():
        Activity.objects.filter(pk=task.pk).update(outcome_kind="held")
