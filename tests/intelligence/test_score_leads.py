"""Leads are scored by what was known when they were captured."""

from __future__ import annotations

import pytest

from apps.core.errors import NotAllowed
from apps.intelligence.services.leads import known_of_leads
from apps.intelligence.services.scoring import score_leads
from apps.leads.models import Lead
from apps.leads.services.capture import change_lead, create_lead
from tests.factories.intelligence import ended_leads


@pytest.fixture
def model(db, learn, deliver_events):
    """A published model of leads whose country tells."""
    ended_leads(350)
    model = learn("lead")
    deliver_events()
    model.refresh_from_db()
    assert model.state == "published", model.card["sentence"]
    return model


def captured(actor, number, **facts):
    lead, _ = create_lead(source="web", email=f"new{number}@acme.com", actor=actor, **facts)
    return lead


def test_learns_from_leads_that_came_to_an_end(model):
    assert (model.name, model.verdict) == ("lead-model-1", "better")
    assert model.card["weights"][0]["column"] == "country"


def test_keeps_the_rules_where_there_is_no_signal(db, learn):
    ended_leads(300, tells=False)
    assert learn("lead").state == "refused"


def test_scores_a_new_lead_once_it_is_heard_of(model, system, deliver_events):
    good, bad = captured(system, 1, country="NO"), captured(system, 2, country="PE")
    assert good.score_source == "rules"
    deliver_events()
    for lead in (good, bad):
        lead.refresh_from_db()
        assert (lead.score_source, lead.score_version) == ("model", "lead-model-1")
        assert sum(one["points"] for one in lead.score_reasons) == lead.score
    assert good.score > bad.score + 20
    assert good.version == bad.version == 1


def test_a_correction_changes_nothing_of_what_was_known_at_capture(model, system, deliver_events):
    lead = captured(system, 1, country="NO", title="Clerk")
    deliver_events()
    lead.refresh_from_db()
    before, known = (lead.score, lead.score_reasons), known_of_leads([lead.pk])
    change_lead(lead_id=lead.pk, country="PE", title="CEO", marketing_score=99, actor=system)
    deliver_events()
    lead.refresh_from_db()
    assert (lead.country, lead.title) == ("PE", "CEO")
    assert (lead.score, lead.score_reasons) == before
    assert score_leads(ids=[lead.pk], actor=system) == 0
    assert known[lead.pk]["country"] == "NO"


def test_refuses_whoever_may_not(model, acting, manager):
    with pytest.raises(NotAllowed):
        score_leads(ids=[], actor=acting(manager))


def test_the_api_tells_where_a_score_comes_from(model, system, admin, api, deliver_events):
    lead = captured(system, 1, country="NO")
    deliver_events()
    told = api(admin).call("GET", f"/leads/{lead.pk}/score").json()
    assert (told["source"], told["version"]) == ("model", "lead-model-1")
    assert told["score"] == Lead.objects.get(pk=lead.pk).score
