"""Marketing says whom it qualified: a lead is captured once, and follows what marketing knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from jsonschema import Draft202012Validator

from apps.core.models import BusinessEvent
from apps.core.personal_data import person_of
from apps.integrations.models import InboundMessage
from apps.integrations.services.description import describe
from apps.integrations.services.inbox import take_message
from apps.leads.models import Lead
from apps.leads.services.merging import merge_leads
from apps.privacy.selectors import Subject
from apps.privacy.services.erasures import erase_person
from apps.users.models import User
from tests.factories.integrations import make_partner, message
from tests.factories.leads import LeadFactory
from tests.factories.territories import TerritoryFactory
from tests.factories.users import actor_of

# sales-system-integrations, Marketing System.
EXAMPLE = {
    "lead_id": "uuid",
    "source": "webinar",
    "score": 85,
    "campaign_id": "uuid",
    "attribution": {
        "first_touch": "paid_search",
        "last_touch": "webinar",
        "touches": ["paid_search", "email", "webinar"],
    },
    "profile": {
        "first_name": "John",
        "last_name": "Doe",
        "email": "john.doe@example.com",
        "company": "Acme Corp",
        "title": "VP Engineering",
        "phone": "+1-555-0100",
    },
    "firmographic": {
        "industry": "Technology",
        "employee_count": 500,
        "annual_revenue": 50000000,
    },
}
AT = datetime(2026, 2, 11, 8, tzinfo=UTC)


@pytest.fixture
def marketing(db):
    return make_partner("marketing").owner


@pytest.fixture
def say(marketing, deliver_events):
    """Marketing says something, and it is handled."""

    def said(at=AT, **changed):
        body = message("lead.qualified", {**EXAMPLE, **changed}, event_id=None, timestamp=at)
        kept, _ = take_message(partner=marketing, body=body, actor=actor_of(marketing.client))
        deliver_events()
        kept.refresh_from_db()
        return kept

    return said


def events(name):
    return [one.payload for one in BusinessEvent.objects.filter(name=name).order_by("sequence")]


def test_the_source_s_example_becomes_a_lead_that_is_scored_and_assigned(say, rep):
    territory = TerritoryFactory(industry="Technology", owner=rep)
    assert say().status == "handled"
    lead = Lead.objects.get()
    assert (lead.external_source, lead.external_id) == ("marketing", "uuid")
    assert (lead.status, lead.source, lead.campaign_id) == ("new", "webinar", "uuid")
    assert (lead.marketing_score, lead.marketing_as_of) == (85, AT)
    assert lead.attribution == EXAMPLE["attribution"]
    assert (lead.name, lead.email) == ("John Doe", "john.doe@example.com")
    assert (lead.company, lead.title, lead.phone) == (
        "Acme Corp",
        "VP Engineering",
        "+1-555-0100",
    )
    assert (lead.industry, lead.employee_count, lead.annual_revenue) == (
        "Technology",
        500,
        50_000_000,
    )
    assert (lead.owner_id, lead.territory_id) == (rep.pk, territory.pk)
    assert any(one["feature"] == "marketing_score" for one in lead.score_reasons)
    assert [one["lead_id"] for one in events("lead.created")] == [str(lead.pk)]


def test_the_example_is_as_it_is_described():
    document = describe()
    schema = document["components"]["messages"]["inbound.lead.qualified"]["payload"]
    validator = Draft202012Validator({**schema, "components": document["components"]})
    sent = {"event_type": "lead.qualified", "timestamp": "2026-02-11T08:00:00Z"}
    assert list(validator.iter_errors({**sent, "payload": EXAMPLE})) == []
    assert len(list(validator.iter_errors({**sent, "payload": {**EXAMPLE, "score": 101}}))) == 1


def test_the_same_again_and_older_news_change_nothing(say):
    newer = AT + timedelta(hours=1)
    say()
    say()
    assert say(newer, score=90, campaign_id="spring").status == "handled"
    lead = Lead.objects.get()
    before = lead.version
    assert say(AT + timedelta(minutes=30), score=10, campaign_id="old").status == "handled"
    assert say(newer, score=20).status == "handled"
    lead.refresh_from_db()
    assert (lead.marketing_score, lead.campaign_id, lead.version) == (90, "spring", before)
    assert lead.marketing_as_of == newer
    assert InboundMessage.objects.count() == 3
    assert len(events("lead.created")) == 1
    assert len(events("lead.updated")) == 1


def test_what_people_wrote_stays_and_what_is_empty_is_filled(say):
    known = LeadFactory(email="john.doe@example.com", company="Acme Incorporated")
    say()
    lead = Lead.objects.get()
    assert lead.pk == known.pk
    assert (lead.external_source, lead.external_id) == ("marketing", "uuid")
    assert (lead.company, lead.title) == ("Acme Incorporated", "VP Engineering")
    assert (lead.marketing_score, lead.status) == (85, "new")
    assert events("lead.created") == []


def test_a_lead_is_known_by_marketing_s_id_whatever_its_address(say):
    say()
    profile = {**EXAMPLE["profile"], "email": "jd@acme.example"}
    say(AT + timedelta(hours=1), profile=profile, score=60)
    lead = Lead.objects.get()
    assert (lead.email, lead.marketing_score) == ("john.doe@example.com", 60)


def test_a_lead_that_was_folded_into_another_is_found_there(say, system):
    say()
    folded = Lead.objects.get()
    survivor = LeadFactory()
    merge_leads(survivor_id=survivor.pk, duplicate_ids=[folded.pk], values={}, actor=system)
    say(AT + timedelta(hours=1), score=60)
    assert Lead.objects.unmerged().get().pk == survivor.pk
    survivor.refresh_from_db()
    assert survivor.marketing_score == 60


def test_what_is_no_person_is_refused_with_the_reason(say):
    kept = say(profile={"email": "not an address"})
    assert kept.status == "refused"
    assert kept.reason == "invalid_input: email: This is not an e-mail address."
    assert Lead.objects.count() == 0


def test_a_lead_out_of_reach_of_marketing_is_refused(say, marketing, rep):
    say()
    User.objects.filter(pk=marketing.client_id).update(all_territories=False)
    Lead.objects.update(owner=rep)
    kept = say(AT + timedelta(hours=1), score=1)
    assert (kept.status, kept.reason.partition(":")[0]) == ("refused", "duplicate_elsewhere")
    assert Lead.objects.get().marketing_score == 85


def test_what_marketing_said_is_erased_with_the_person(say, admin, acting):
    kept = say()
    lead = Lead.objects.get()
    assert kept.email == "john.doe@example.com"
    found = person_of(email_key=lead.email_key).ids
    assert found == {"leads": [lead.pk], "inbound_messages": [kept.pk]}
    erase_person(subject=Subject(email="john.doe@example.com"), reason="asked", actor=acting(admin))
    kept = InboundMessage.objects.select_related("data_key").get()
    assert (kept.body, kept.email, kept.email_key) == ("", "", "")
    assert kept.status == "handled"


def test_marketing_s_newest_facts_come_by_sync_too(say, api, rep):
    say()
    lead = Lead.objects.get()
    Lead.objects.update(owner=rep)
    client = api(rep)
    newer = {"as_of": "2026-02-11T09:00:00Z", "score": 95, "company": "Other", "city": "Berlin"}
    answer = client.call("POST", f"/leads/{lead.pk}/sync", newer)
    assert answer.status_code == 200, answer.content
    older = {"as_of": "2026-02-11T08:30:00Z", "score": 5}
    assert client.call("POST", f"/leads/{lead.pk}/sync", older).status_code == 200
    shown = client.call("GET", f"/leads/{lead.pk}").json()
    assert (shown["marketing_score"], shown["company"], shown["city"]) == (
        95,
        "Acme Corp",
        "Berlin",
    )
    assert shown["marketing_as_of"] == "2026-02-11T09:00:00.000000Z"
    assert client.call("POST", f"/leads/{lead.pk}/sync", {"score": 1}).status_code == 400


def test_nobody_syncs_what_they_do_not_see(say, api, outsider):
    say()
    lead = Lead.objects.get()
    body = {"as_of": timezone.now().isoformat(), "score": 1}
    assert api(outsider).call("POST", f"/leads/{lead.pk}/sync", body).status_code == 404
    assert Lead.objects.get().marketing_score == 85
    assert events("lead.updated") == []
