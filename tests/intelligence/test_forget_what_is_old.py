"""What is forgotten of models and suggestions, and what stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.core.retention import days_kept, forget_what_is_due
from apps.intelligence.models import DealProbability, ScoreModel, Suggestion
from apps.leads.models import Lead
from apps.opportunities.models import Opportunity
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import make_deal

NOW = timezone.now()
OLD, YOUNG = timedelta(days=366), timedelta(days=364)


def learned(version, state, age, *, subject="deal"):
    moment = NOW - age
    is_refused = state == "refused"
    return ScoreModel.objects.create(
        subject=subject,
        version=version,
        state=state,
        verdict="no_signal" if is_refused else "better",
        card={"sentence": "A card."},
        trees="" if is_refused else "{}",
        created_at=moment,
        published_at=None if is_refused else moment,
        retired_at=moment if state == "retired" else None,
    )


def suggested(deal, key, *, ended, decided=None, by=None):
    return Suggestion.objects.create(
        opportunity=deal,
        key=key,
        sentence="Call.",
        reason="Nobody did.",
        gain=5,
        made_at=NOW - timedelta(days=3000),
        decision="accepted" if decided else "",
        decided_at=decided and NOW - decided,
        decided_by=by if decided else None,
        ended_at=ended and NOW - ended,
        ended_as="done" if ended else "",
    )


@pytest.fixture
def forgotten(db):
    """Forgets what is due, and tells how much it was, by name."""

    def run():
        found = forget_what_is_due("intelligence", now=NOW)
        assert set(found) == {one for one in days_kept() if one.startswith("intelligence.")}
        return {name.partition(".")[2]: count for name, count in found.items()}

    return run


def test_models_nobody_goes_by_go_and_no_number_is_given_twice(forgotten):
    gone = [learned(1, "refused", OLD), learned(2, "retired", OLD)]
    stay = [
        learned(3, "refused", YOUNG),
        learned(4, "retired", YOUNG),
        learned(5, "challenger", OLD),
        learned(6, "published", OLD),
        learned(7, "refused", OLD),
        learned(1, "refused", OLD, subject="lead"),
    ]
    assert forgotten()["score_models"] == len(gone)
    assert set(ScoreModel.objects.all()) == set(stay)
    assert forgotten()["score_models"] == 0


def test_models_that_a_score_names_stay(forgotten, rep):
    of_deals = [learned(version, "retired", OLD) for version in range(1, 5)]
    of_leads = [learned(version, "retired", OLD, subject="lead") for version in range(1, 4)]
    deal, weighed = make_deal(owner=rep), make_deal(owner=rep)
    Opportunity.objects.filter(pk=deal.pk).update(
        deal_score_source="model", deal_score_version=of_deals[0].name
    )
    DealProbability.objects.create(
        opportunity=weighed, model=of_deals[1], probability="0.5", scored_at=NOW
    )
    lead = LeadFactory(owner=rep)
    Lead.objects.filter(pk=lead.pk).update(
        score_source="model", score_version=of_leads[0].name, deleted_at=NOW
    )
    assert forgotten()["score_models"] == 2
    assert set(ScoreModel.objects.all()) == {
        *(of_deals[0], of_deals[1], of_deals[3]),
        *(of_leads[0], of_leads[2]),
    }


def test_suggestions_that_are_over_go_and_those_that_outcomes_are_told_by_stay(forgotten, rep):
    deal = make_deal(owner=rep)
    Suggestion.objects.all().delete()
    quarter, years = timedelta(days=91), timedelta(days=1831)
    gone = [
        suggested(deal, "next_step", ended=quarter),
        suggested(deal, "contact", ended=years, decided=years, by=rep),
    ]
    stay = [
        suggested(deal, "next_step", ended=timedelta(days=89)),
        suggested(deal, "contact", ended=quarter, decided=quarter, by=rep),
        suggested(deal, "amount", ended=timedelta(days=1), decided=years, by=rep),
        suggested(deal, "products", ended=None),
        suggested(deal, "close_date", ended=None, decided=years, by=rep),
    ]
    assert forgotten() == {
        "score_models": 0,
        "undecided_suggestions": 1,
        "decided_suggestions": 1,
    }
    assert set(Suggestion.objects.all()) == set(stay)
    assert not Suggestion.objects.filter(pk__in=[one.pk for one in gone]).exists()
