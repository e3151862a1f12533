"""Lists of activities: who sees what, and how it follows what it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.services.accounts import delete_account, reassign_account, restore_account
from apps.activities.fields import ACTIVITIES
from apps.activities.models import Activity
from apps.core.errors import NotFound
from apps.core.models import Change
from apps.core.rows.listing import Query
from apps.customer_success.permissions import READ_CUSTOMER
from apps.leads.services.assignment import assign_leads
from apps.leads.services.lifecycle import delete_lead, restore_lead
from apps.leads.services.merging import merge_leads, undo_merge
from apps.opportunities.services.deals import (
    delete_opportunity,
    reassign_opportunity,
    restore_opportunity,
)
from apps.users.services.people import allow_role
from tests.factories.accounts import AccountFactory, ContactFactory
from tests.factories.activities import make_activity
from tests.factories.customer_success import make_health, make_ticket
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import make_deal

AT = datetime(2026, 2, 11, 8, 30, tzinfo=UTC)


def seen_by(actor, **filters):
    """The ids in the order of the list, which the pages agree with."""
    listed = [row["id"] for row in ACTIVITIES.page(actor, Query(filters)).rows]
    if not filters:
        shown = Activity.objects.visible_to(actor).values_list("pk", flat=True)
        assert sorted(listed) == sorted(map(str, shown))
    return listed


def of(*activities):
    return [str(one.pk) for one in activities]


def test_a_timeline_is_newest_first_and_pages_by_cursor(api, rep):
    lead, other = LeadFactory(owner=rep), LeadFactory(owner=rep)
    old, new, middle = (
        make_activity(by=rep, lead_id=lead.pk, completed_at=AT + timedelta(days=days))
        for days in (0, 2, 1)
    )
    planned = make_activity(
        by=rep, lead_id=lead.pk, type="demo", scheduled_at=AT + timedelta(days=9)
    )
    make_activity(by=rep, lead_id=other.pk)
    client = api(rep)
    first = client.call("GET", f"/leads/{lead.pk}/activities?limit=3").json()
    assert [row["id"] for row in first["data"]] == of(planned, new, middle)
    cursor = first["pagination"]["next_cursor"]
    rest = client.call("GET", f"/leads/{lead.pk}/activities?limit=3&cursor={cursor}").json()
    assert [row["id"] for row in rest["data"]] == of(old)
    assert (first["pagination"]["total"], rest["pagination"]["has_more"]) == (4, False)


def test_an_account_tells_of_its_deals_and_contacts(api, rep):
    account = AccountFactory(owner=rep)
    deal, contact = make_deal(account=account), ContactFactory(account=account)
    made = [
        make_activity(by=rep, completed_at=AT + timedelta(days=days), **subject)
        for days, subject in enumerate(
            ({"account_id": account.pk}, {"opportunity_id": deal.pk}, {"contact_id": contact.pk})
        )
    ]
    client = api(rep)
    of_account = client.call("GET", f"/accounts/{account.pk}/activities").json()["data"]
    assert [row["id"] for row in of_account] == of(*reversed(made))
    of_deal = client.call("GET", f"/opportunities/{deal.pk}/activities").json()["data"]
    assert [row["id"] for row in of_deal] == of(made[1])


def test_shows_an_activity_in_clear_and_notes_who_read_it(api, rep):
    lead = LeadFactory(owner=rep, first_name="Jane", last_name="Doe")
    activity = make_activity(
        by=rep,
        lead_id=lead.pk,
        description="They decide in March.",
        outcome="interested",
        completed_at=AT,
        metadata={"email_opened": True},
        participants=[rep.pk],
    )
    row = api(rep).call("GET", f"/activities/{activity.pk}").json()
    assert {name: row[name] for name in ("type", "subject", "outcome", "description")} == {
        "type": "call",
        "subject": "First call",
        "outcome": "interested",
        "description": "They decide in March.",
    }
    assert row["lead"] == {"id": str(lead.pk), "name": "Jane Doe"}
    assert row["user"] == {"id": str(rep.pk), "name": "Rex Rep"}
    assert (row["metadata"], row["participants"]) == ({"email_opened": True}, [str(rep.pk)])
    assert (row["is_completed"], row["timeline_at"][:19]) == (True, "2026-02-11T08:30:00")
    assert row["opportunity"] is None


def test_reading_stands_in_the_access_log(api, rep, read_so_far):
    activity = make_activity(by=rep, lead_id=LeadFactory(owner=rep).pk)
    api(rep).call("GET", "/activities")
    (access,) = read_so_far()
    assert (access.kind, access.actor_id) == ("activities", rep.pk)
    assert access.row_ids == [activity.pk]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("type=demo", 1),
        ("type=demo,call", 2),
        ("is_completed=false", 1),
        ("after=2026-02-12T00:00:00Z", 1),
        ("before=2026-02-12T00:00:00Z", 1),
    ],
)
def test_can_be_narrowed(api, rep, filters, found):
    lead = LeadFactory(owner=rep)
    make_activity(by=rep, lead_id=lead.pk, completed_at=AT)
    make_activity(by=rep, lead_id=lead.pk, type="demo", scheduled_at=AT + timedelta(days=30))
    answer = api(rep).call("GET", f"/activities?{filters}").json()
    assert len(answer["data"]) == answer["pagination"]["total"] == found


def test_whoever_does_not_see_the_subject_sees_nothing(api, rep, outsider):
    lead, deal = LeadFactory(owner=rep), make_deal(owner=rep)
    activity = make_activity(by=rep, lead_id=lead.pk)
    make_activity(by=rep, opportunity_id=deal.pk)
    client = api(outsider)
    assert client.call("GET", "/activities").json()["data"] == []
    for address in (
        f"/activities/{activity.pk}",
        f"/leads/{lead.pk}/activities",
        f"/opportunities/{deal.pk}/activities",
        f"/accounts/{deal.account_id}/activities",
    ):
        assert client.call("GET", address).status_code == 404, address


def test_an_activity_goes_along_when_its_subject_is_handed_over(
    acting, manager, rep, outsider, admin
):
    lead, account = LeadFactory(owner=rep), AccountFactory(owner=rep)
    deal = make_deal(account=account)
    made = [
        make_activity(by=rep, lead_id=lead.pk, completed_at=AT),
        make_activity(by=rep, opportunity_id=deal.pk, completed_at=AT - timedelta(days=1)),
        make_activity(by=rep, account_id=account.pk, completed_at=AT - timedelta(days=2)),
    ]
    assert seen_by(acting(rep)) == of(*made)
    actor = acting(admin)
    assign_leads(ids=[lead.pk], owner_id=outsider.pk, actor=actor)
    assert (seen_by(acting(rep)), seen_by(acting(outsider))) == (of(*made[1:]), of(made[0]))
    reassign_opportunity(opportunity_id=deal.pk, owner_id=outsider.pk, actor=actor)
    assert (seen_by(acting(rep)), seen_by(acting(outsider))) == (of(made[2]), of(*made[:2]))
    reassign_account(account_id=account.pk, owner_id=outsider.pk, actor=actor)
    assert (seen_by(acting(rep)), seen_by(acting(outsider))) == ([], of(*made))
    assert not Change.objects.filter(kind="activities", action="updated").exists()


def test_what_lies_in_the_bin_takes_its_activities_along(acting, admin, rep):
    lead, account = LeadFactory(owner=rep), AccountFactory(owner=rep)
    deal = make_deal(owner=rep)
    subjects = (
        ({"lead_id": lead.pk}, delete_lead, restore_lead),
        ({"account_id": account.pk}, delete_account, restore_account),
        ({"opportunity_id": deal.pk}, delete_opportunity, restore_opportunity),
    )
    for subject, delete, restore in subjects:
        activity = make_activity(by=rep, **subject)
        delete(**subject, actor=acting(admin))
        assert seen_by(acting(admin)) == []
        with pytest.raises(NotFound):
            ACTIVITIES.one(acting(admin), activity.pk)
        restore(**subject, actor=acting(admin))
        assert seen_by(acting(admin)) == of(activity)
        activity.delete()


def test_folded_leads_tell_their_story_to_the_one_that_stays(acting, admin, rep, outsider):
    survivor, duplicate, third = (LeadFactory(owner=one) for one in (rep, outsider, outsider))
    own = make_activity(by=rep, lead_id=survivor.pk, completed_at=AT)
    folded = make_activity(by=outsider, lead_id=duplicate.pk, completed_at=AT - timedelta(days=1))
    deep = make_activity(by=outsider, lead_id=third.pk, completed_at=AT - timedelta(days=2))
    actor = acting(admin)

    def merge(one, other):
        return merge_leads(survivor_id=one.pk, duplicate_ids=[other.pk], values={}, actor=actor)

    merge(duplicate, third)
    whole = merge(survivor, duplicate)
    family = {"lead_id": str(survivor.pk)}
    assert seen_by(acting(rep), **family) == seen_by(acting(rep)) == of(own, folded, deep)
    assert seen_by(acting(outsider)) == []
    undo_merge(merge_id=whole.pk, actor=actor)
    assert seen_by(acting(rep)) == of(own)
    assert seen_by(acting(outsider)) == of(folded, deep)
    merge(survivor, duplicate)
    assign_leads(ids=[survivor.pk], owner_id=outsider.pk, actor=actor)
    assert seen_by(acting(rep)) == []
    assert seen_by(acting(outsider)) == of(own, folded, deep)


def test_a_page_costs_as_many_queries_as_a_row(acting, rep):
    lead = LeadFactory(owner=rep)
    counts = []
    for _ in range(2):
        make_activity(by=rep, lead_id=lead.pk)
        with CaptureQueriesContext(connection) as queries:
            ACTIVITIES.page(acting(rep), Query(), count=False)
        counts.append(len(queries))
    assert counts[1] <= counts[0]


def told(client, what, row, **query):
    words = "&".join(f"{name}={value}" for name, value in query.items())
    answer = client.call("GET", f"/{what}/{row.pk}/timeline?{words}").json()
    return [(one["event"] or one["activity"]) for one in answer["data"]], answer["pagination"]


def names(entries):
    return [one.get("name") or one["subject"] for one in entries]


def test_the_whole_timeline_puts_activities_and_events_together(api, rep):
    account = AccountFactory(owner=rep)
    make_activity(by=rep, account_id=account.pk, subject="Met", completed_at=AT)
    make_health(account, 35)
    make_ticket(account)
    client = api(rep)
    entries, place = told(client, "accounts", account)
    assert names(entries) == ["account.critical_ticket_opened", "account.health_changed", "Met"]
    assert (place["has_more"], place["next_cursor"]) == (False, None)
    health = entries[1]
    assert health["details"]["score"] == 35
    assert "account_id" not in health["details"]
    paged, place = told(client, "accounts", account, limit=1)
    while cursor := place["next_cursor"]:
        some, place = told(client, "accounts", account, limit=1, cursor=cursor)
        paged += some
    assert paged == entries


def test_a_deal_s_whole_timeline_tells_the_news_of_its_customer(api, rep, outsider):
    account = AccountFactory(owner=rep)
    deal = make_deal(account=account, owner=rep)
    make_health(account, 35)
    entries, _ = told(api(rep), "opportunities", deal)
    assert names(entries) == ["account.health_changed", "opportunity.created"]
    foreign = make_deal(account=account, owner=outsider)
    entries, _ = told(api(outsider), "opportunities", foreign)
    assert names(entries) == ["opportunity.created"]


def test_news_of_customers_ask_for_the_right(api, rep, system):
    account = AccountFactory(owner=rep)
    deal = make_deal(account=account, owner=rep)
    make_health(account, 35)
    allow_role(role=rep.role, permission=READ_CUSTOMER, allowed=False, actor=system)
    client = api(rep)
    assert names(told(client, "accounts", account)[0]) == []
    assert names(told(client, "opportunities", deal)[0]) == ["opportunity.created"]


def test_a_whole_timeline_out_of_reach_is_not_there(api, rep, outsider):
    account, lead = AccountFactory(owner=rep), LeadFactory(owner=rep)
    client = api(outsider)
    for address in (f"/accounts/{account.pk}", f"/leads/{lead.pk}"):
        assert client.call("GET", f"{address}/timeline").status_code == 404
    for wrong in ("limit=0", "limit=201", "limit=x", "cursor=x", "cursor=W10", "page=1"):
        answer = api(rep).call("GET", f"/accounts/{account.pk}/timeline?{wrong}")
        assert answer.status_code == 400, wrong
