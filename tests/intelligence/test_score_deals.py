"""Deals are scored by what was learned from closed ones, and by the rules where nothing was."""

from __future__ import annotations

from decimal import Decimal

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.core.errors import NotAllowed, NotFound
from apps.core.jobs import cancel_job, run_job, worked_off
from apps.core.models import BusinessEvent, Change, Job
from apps.intelligence.errors import AlreadyLearning, ModelNotPublishable, ModelNotPublished
from apps.intelligence.models import DealProbability, ScoreModel
from apps.intelligence.services import training
from apps.intelligence.services.publishing import publish_score_model, retire_score_model
from apps.intelligence.services.scoring import score_deals
from apps.intelligence.services.training import train_score
from apps.intelligence.tasks import learn_scores
from apps.opportunities.models import Opportunity
from apps.opportunities.services.deals import change_opportunity
from apps.opportunities.services.scores import DealScoreGiven, record_deal_scores
from apps.opportunities.services.stages import move_opportunity, reopen_opportunity
from tests.factories.accounts import AccountFactory
from tests.factories.intelligence import closed_deals
from tests.factories.opportunities import make_deal


def score_of(deal):
    deal.refresh_from_db()
    return (deal.deal_score, deal.deal_score_source, deal.deal_score_version)


@pytest.fixture
def history(rep):
    """Deals that closed, whose industry tells."""
    return closed_deals(400, owner=rep)


@pytest.fixture
def model(history, learn, deliver_events):
    """A published model."""
    deliver_events()
    model = learn("deal")
    deliver_events()
    model.refresh_from_db()
    assert model.state == "published", model.card["sentence"]
    return model


# --- Learning -----------------------------------------------------------------------------------


def test_learns_from_closed_deals_and_publishes_what_is_better(model):
    assert (model.name, model.verdict) == ("deal-model-1", "better")
    assert model.figure("auc_gain")["low"] > 0
    assert model.card["decided"] == 400
    assert model.card["weights"][0]["column"] == "industry"
    assert model.card["refused"] == []


def test_keeps_the_rules_where_there_is_no_signal(rep, learn, deliver_events):
    closed_deals(400, owner=rep, tells=False)
    deal = make_deal(owner=rep)
    before = score_of(deal)
    model = learn("deal")
    deliver_events()
    assert (model.state, model.verdict, model.trees) == ("refused", "no_signal", "")
    assert score_of(deal) == before
    assert before[1:] == ("rules", "rules-2")
    assert not DealProbability.objects.exists()


def test_an_empty_system_learns_nothing(db, learn):
    assert learn("deal").verdict == "too_few"


def test_refuses_to_learn_twice_at_once(system, deliver_events):
    job = train_score(subject="deal", actor=system)
    with pytest.raises(AlreadyLearning):
        train_score(subject="deal", actor=system)
    assert Job.objects.get() == job
    train_score(subject="lead", actor=system)
    run_job(job.pk)
    assert train_score(subject="deal", actor=system) != job


@pytest.mark.parametrize("who", ["rep", "manager"])
def test_refuses_whoever_may_not_train(who, acting, request, model):
    actor = acting(request.getfixturevalue(who))
    jobs = Job.objects.count()
    for refused in (
        lambda: train_score(subject="deal", actor=actor),
        lambda: publish_score_model(model_id=model.pk, actor=actor),
        lambda: retire_score_model(model_id=model.pk, actor=actor),
        lambda: score_deals(ids=[], actor=actor),
        lambda: record_deal_scores(scores=[], actor=actor),
    ):
        with pytest.raises(NotAllowed):
            refused()
    model.refresh_from_db()
    assert (model.state, Job.objects.count()) == ("published", jobs)


def test_shows_how_far_it_is_and_can_be_stopped(history, system):
    asked = train_score(subject="deal", actor=system)
    said = []
    for job in worked_off(asked.pk):
        said.append((job.message, job.status))
        assert job.has_ended or 0 < job.progress < 100
        if len(said) == 4:
            cancel_job(job_id=job.pk, actor=system)
    assert said[0] == ("Gathered 1,600 rows", "running")
    assert said[3:] == [
        ("Growing trees, fold 2 of 5", "running"),
        ("Growing trees, fold 2 of 5", "cancelled"),
    ]
    assert not ScoreModel.objects.exists()


def test_a_killed_worker_leaves_nothing_behind_and_the_next_one_begins_again(
    history, system, monkeypatch, deliver_events
):
    class Killed(BaseException):
        """What a worker sees of kill -9: nothing more."""

    def kill(*arguments, **named):
        raise Killed

    job = train_score(subject="deal", actor=system)
    monkeypatch.setattr(training, "put_in_force", kill)
    with pytest.raises(Killed):
        run_job(job.pk)
    job.refresh_from_db()
    assert (job.status, ScoreModel.objects.count()) == ("running", 0)
    monkeypatch.undo()
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == "completed"
    assert ScoreModel.objects.get().state == "published"


def test_the_clock_has_every_score_learned(db, deliver_events):
    learn_scores()
    learn_scores()
    kinds = Job.objects.filter(kind=training.LEARNING_JOB)
    assert sorted(kinds.values_list("parameters__subject", flat=True)) == ["deal", "lead"]


# --- In force -----------------------------------------------------------------------------------


def test_publishing_scores_what_is_open_anew(history, rep, learn, deliver_events):
    good = make_deal(account=AccountFactory(industry="Software", owner=rep))
    bad = make_deal(account=AccountFactory(industry="Retail", owner=rep))
    closed = make_deal(owner=rep, stage="closed_won")
    deliver_events()
    versions = Opportunity.objects.values_list("pk", "version", "updated_at").order_by("pk")
    before = list(versions)
    learn("deal")
    deliver_events()
    assert score_of(good)[1:] == score_of(bad)[1:] == ("model", "deal-model-1")
    assert good.deal_score > bad.deal_score + 20
    assert score_of(closed) == (100, "rules", "rules-2")
    assert list(versions) == before
    assert sum(one["points"] for one in good.deal_score_reasons) == good.deal_score
    assert any(one["text"] == "The account is in Software." for one in good.deal_score_reasons)
    assert set(DealProbability.objects.values_list("pk", flat=True)) >= {good.pk, bad.pk}
    probability = DealProbability.objects.get(pk=good.pk).probability
    assert round(100 * probability) == good.deal_score


def test_scores_a_new_deal_once_it_is_heard_of(model, rep, deliver_events):
    deal = make_deal(account=AccountFactory(industry="Software", owner=rep))
    assert score_of(deal)[1] == "rules"
    deliver_events()
    assert score_of(deal)[1:] == ("model", "deal-model-1")


def test_follows_a_deal_that_changes(model, rep, system, deliver_events):
    deal = make_deal(account=AccountFactory(industry="Software", owner=rep))
    deliver_events()
    first = DealProbability.objects.get(pk=deal.pk).scored_at
    change_opportunity(opportunity_id=deal.pk, amount=Decimal(9), actor=system)
    assert score_of(deal)[1] == "model"
    deliver_events()
    assert DealProbability.objects.get(pk=deal.pk).scored_at > first


def test_hearing_twice_changes_nothing(model, rep, system, deliver_events):
    deal = make_deal(owner=rep)
    with time_machine.travel(timezone.now(), tick=False):
        deliver_events()
        before, changes = score_of(deal), Change.objects.filter(row_id=deal.pk).count()
        assert score_deals(ids=[deal.pk, deal.pk], actor=system) == 0
    assert score_of(deal) == before
    assert Change.objects.filter(row_id=deal.pk).count() == changes


def test_a_closed_deal_has_the_score_of_its_end(model, rep, system, deliver_events):
    deal = make_deal(owner=rep)
    deliver_events()
    move_opportunity(opportunity_id=deal.pk, stage="closed_lost", loss_reason="Price", actor=system)
    assert score_of(deal) == (0, "rules", "rules-2")
    deliver_events()
    assert score_of(deal) == (0, "rules", "rules-2")
    assert not DealProbability.objects.filter(pk=deal.pk).exists()
    reopen_opportunity(opportunity_id=deal.pk, actor=system)
    deliver_events()
    assert score_of(deal)[1:] == ("model", "deal-model-1")


def test_a_score_that_comes_too_late_changes_nothing(rep, system):
    deal = make_deal(owner=rep, stage="closed_won")
    late = DealScoreGiven(opportunity_id=deal.pk, value=12, version="deal-model-9", reasons=[])
    assert record_deal_scores(scores=[late], actor=system) == 0
    assert score_of(deal) == (100, "rules", "rules-2")


def test_retiring_gives_what_is_open_back_to_the_rules(model, rep, system, deliver_events):
    deal = make_deal(owner=rep)
    by_rules = score_of(deal)
    deliver_events()
    retired = retire_score_model(model_id=model.pk, actor=system)
    deliver_events()
    assert retired.state == "retired"
    assert score_of(deal) == by_rules
    assert not DealProbability.objects.exists()
    with pytest.raises(ModelNotPublished):
        retire_score_model(model_id=model.pk, actor=system)
    publish_score_model(model_id=model.pk, actor=system)
    deliver_events()
    assert score_of(deal)[1:] == ("model", "deal-model-1")


def test_a_challenger_that_is_no_better_waits_for_somebody_to_publish_it(
    model, learn, system, deliver_events
):
    challenger = learn("deal")
    assert (challenger.version, challenger.state) == (2, "challenger")
    assert challenger.figure("champion_brier_gain")["value"] <= 0
    assert ScoreModel.objects.get(state="published") == model
    publish_score_model(model_id=challenger.pk, actor=system)
    deliver_events()
    assert ScoreModel.objects.get(state="published") == challenger
    model.refresh_from_db()
    assert (model.state, model.retired_at is None) == ("retired", False)


def test_refuses_to_publish_what_came_to_nothing(db, learn, system):
    refused = learn("deal")
    with pytest.raises(ModelNotPublishable):
        publish_score_model(model_id=refused.pk, actor=system)
    refused.refresh_from_db()
    assert refused.state == "refused"
    with pytest.raises(NotFound):
        publish_score_model(model_id=refused.job_id, actor=system)


def test_the_database_holds_one_published_model_of_a_subject(model):
    with pytest.raises(IntegrityError, match="score_model_one_published"), transaction.atomic():
        ScoreModel.objects.create(
            subject="deal",
            version=9,
            state="published",
            verdict="better",
            card={},
            trees="{}",
            published_at=model.published_at,
        )


# --- Through the doors --------------------------------------------------------------------------


def test_the_api_tells_a_score_with_its_reasons_and_the_health(model, rep, api, deliver_events):
    deal = make_deal(owner=rep)
    deliver_events()
    answer = api(rep).call("GET", f"/opportunities/{deal.pk}/score")
    assert answer.status_code == 200
    told = answer.json()
    deal.refresh_from_db()
    assert (told["score"], told["source"], told["version"]) == (
        deal.deal_score,
        "model",
        "deal-model-1",
    )
    assert told["probability"] == float(DealProbability.objects.get(pk=deal.pk).probability)
    assert sum(one["points"] for one in told["reasons"]) == told["score"]
    assert "No next step is agreed." in {one["text"] for one in told["health"]}


def test_the_api_tells_the_rules_score_where_there_is_no_model(rep, api, outsider):
    deal = make_deal(owner=rep)
    told = api(rep).call("GET", f"/opportunities/{deal.pk}/score").json()
    assert (told["score"], told["source"], told["probability"]) == (deal.deal_score, "rules", None)
    assert told["reasons"] == told["health"] == deal.deal_score_reasons
    assert api(outsider).call("GET", f"/opportunities/{deal.pk}/score").status_code == 404


def test_the_api_trains_lists_publishes_and_retires(history, admin, manager, api, deliver_events):
    client = api(admin)
    asked = client.call("POST", "/intelligence/models", {"subject": "deal"})
    assert asked.status_code == 202
    deliver_events()
    job = client.call("GET", f"/jobs/{asked.json()['id']}").json()
    assert (job["status"], job["progress"]) == ("completed", 100)
    (listed,) = api(manager).call("GET", "/intelligence/models?subject=deal").json()["data"]
    assert (listed["name"], listed["state"]) == ("deal-model-1", "published")
    path = f"/intelligence/models/{listed['id']}"
    card = api(manager).call("GET", path).json()["card"]
    assert "reference" not in card
    assert card["figures"]["auc"]["value"] > 0.7
    assert client.call("PATCH", path, {"state": "retired"}).json()["state"] == "retired"
    assert client.call("PATCH", path, {"state": "published"}).json()["state"] == "published"
    assert api(manager).call("PATCH", path, {"state": "retired"}).status_code == 403


@pytest.mark.parametrize("subject", ["account", "", None, 7])
def test_the_api_refuses_a_score_of_something_else(admin, api, subject):
    answer = api(admin).call("POST", "/intelligence/models", {"subject": subject})
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"
    assert not Job.objects.exists()


def test_reps_do_not_see_what_scores_are_learned_from(rep, api):
    assert api(rep).call("GET", "/intelligence/models").status_code == 403


def test_nothing_is_told_that_nobody_asked_for(model):
    assert not BusinessEvent.objects.filter(name__startswith="opportunity.updated").exists()
