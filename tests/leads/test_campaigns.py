"""Campaigns are as marketing told of them last, and count the leads that are within reach."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from apps.core.errors import InvalidInput, NotAllowed
from apps.core.models import Change
from apps.integrations.services.inbox import take_message
from apps.leads.models import Campaign
from apps.leads.services.campaigns import record_campaign
from apps.leads.services.merging import merge_leads
from tests.at_once import outcomes_at_once
from tests.factories.integrations import make_partner, message
from tests.factories.leads import LeadFactory
from tests.factories.users import UserFactory, actor_of

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 11, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
FACTS = {"name": "Spring webinar", "status": "active", "channel": "webinar"}


@pytest.fixture
def say(deliver_events):
    """Marketing says something, and it is handled."""
    marketing = make_partner("marketing").owner

    def said(at=AT, **payload):
        body = message("campaign.updated", payload, timestamp=at)
        kept, _ = take_message(partner=marketing, body=body, actor=actor_of(marketing.client))
        deliver_events()
        kept.refresh_from_db()
        return kept

    return said


def test_a_campaign_follows_the_newest_that_marketing_says(say):
    assert say(campaign_id="spring", starts_on="2026-03-01", **FACTS).status == "handled"
    assert say(AT - HOUR, campaign_id="spring", name="Old", status="planned").status == "handled"
    assert say(campaign_id="spring", name="Same moment", status="ended").status == "handled"
    campaign = Campaign.objects.get()
    assert (campaign.name, campaign.status, campaign.channel) == tuple(FACTS.values())
    assert (campaign.partner, campaign.as_of) == ("marketing", AT)
    assert campaign.starts_on == date(2026, 3, 1)
    say(AT + HOUR, campaign_id="spring", name="Spring", status="ended")
    campaign.refresh_from_db()
    assert (campaign.name, campaign.status, campaign.channel) == ("Spring", "ended", "")
    assert campaign.starts_on is None
    assert Change.objects.filter(kind="campaigns").count() == 2


def test_it_is_shown_with_its_leads_within_reach(api, rep, outsider, system):
    record_campaign(external_id="spring", as_of=AT, actor=system, **FACTS)
    for status in ("new", "new", "qualified"):
        LeadFactory(owner=rep, campaign_id="spring", status=status)
    LeadFactory(owner=outsider, campaign_id="spring")
    LeadFactory(owner=rep, campaign_id="autumn")
    LeadFactory(owner=rep, campaign_id="spring", deleted_at=AT, deleted_by_id=rep.pk)
    folded, survivor = LeadFactory(owner=rep, campaign_id="spring"), LeadFactory(owner=rep)
    merge_leads(survivor_id=survivor.pk, duplicate_ids=[folded.pk], values={}, actor=system)
    shown = api(rep).call("GET", "/campaigns/spring").json()
    assert shown == {
        "campaign_id": "spring",
        "name": "Spring webinar",
        "channel": "webinar",
        "status": "active",
        "starts_on": None,
        "ends_on": None,
        "partner": "marketing",
        "as_of": "2026-02-11T08:00:00Z",
        "leads": {"total": 3, "by_status": {"new": 2, "qualified": 1}},
    }
    others = api(outsider).call("GET", "/campaigns/spring").json()
    assert others["leads"] == {"total": 1, "by_status": {"new": 1}}


def test_one_that_only_leads_name_is_without_facts(api, rep, outsider):
    LeadFactory(owner=rep, campaign_id="whispered")
    shown = api(rep).call("GET", "/campaigns/whispered").json()
    assert (shown["name"], shown["as_of"], shown["leads"]["total"]) == (None, None, 1)
    assert api(outsider).call("GET", "/campaigns/whispered").status_code == 404


@pytest.mark.parametrize("unknown", ["nothing", "%00", "x" * 300, "%FF"])
def test_what_nobody_knows_is_not_there(api, rep, unknown):
    assert api(rep).call("GET", f"/campaigns/{unknown}").status_code == 404


def test_of_two_partners_with_the_same_id_the_newest_is_shown(api, rep, system):
    record_campaign(external_id="1", as_of=AT + HOUR, system="a", actor=system, **FACTS)
    record_campaign(external_id="1", as_of=AT, system="b", actor=system, **FACTS)
    assert Campaign.objects.count() == 2
    assert api(rep).call("GET", "/campaigns/1").json()["partner"] == "a"


def test_refuses_what_makes_no_sense(system):
    ends = {"starts_on": date(2026, 3, 2), "ends_on": date(2026, 3, 1)}
    with pytest.raises(InvalidInput):
        record_campaign(external_id="1", as_of=AT, actor=system, **FACTS, **ends)
    ahead = timezone.now() + HOUR
    with pytest.raises(InvalidInput):
        record_campaign(external_id="1", as_of=ahead, actor=system, **FACTS)
    assert Campaign.objects.count() == 0


def test_refuses_whoever_may_not_write(acting):
    reader = UserFactory(role="read_only")
    with pytest.raises(NotAllowed):
        record_campaign(external_id="1", as_of=AT, actor=acting(reader), **FACTS)
    assert Campaign.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_two_at_once_are_kept_as_one(system):
    def record(hours):
        facts = {**FACTS, "name": f"After {hours}"}
        record_campaign(external_id="1", as_of=AT + hours * HOUR, actor=system, **facts)

    assert outcomes_at_once(record, [2, 0, 3, 1]) == ["done"] * 4
    assert Campaign.objects.get().name == "After 3"
