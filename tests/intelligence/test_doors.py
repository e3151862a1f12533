"""Models in the back office and on the command line, and how far what is scored has moved."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from apps.core.errors import NotAllowed
from apps.core.models import Job
from apps.intelligence.models import ScoreModel
from apps.intelligence.services.drift import FEWEST, check_drift
from apps.intelligence.services.training import train_score
from apps.intelligence.tasks import check_drift_of_scores
from tests.factories.intelligence import closed_deals
from tests.factories.opportunities import make_deal

LIST = "admin:intelligence_scoremodel_changelist"


@pytest.fixture
def model(rep, learn):
    """A published model."""
    closed_deals(400, owner=rep)
    model = learn("deal")
    assert model.state == "published"
    return model


def page(model, what="change"):
    if what == "change":
        return reverse("admin:intelligence_scoremodel_change", args=[model.pk])
    return page(model).replace("change/", f"{what}/")


def test_the_page_of_a_model_is_its_card(model, client, manager):
    client.force_login(manager)
    assert "Deal score" in client.get(reverse(LIST)).content.decode()
    shown = client.get(page(model)).content.decode()
    assert model.card["sentence"] in shown
    assert "Calibration error" in shown
    assert shown.count('class="reliability-bin"') == 10
    assert page(model, "retire") not in shown


def test_a_model_that_came_to_nothing_has_a_page(learn, client, admin):
    refused = learn("lead")
    client.force_login(admin)
    shown = client.get(page(refused)).content.decode()
    assert "There are 0 rows whose end is known; 200 are needed." in shown
    assert page(refused, "publish") not in shown


def test_a_score_is_learned_anew_by_a_form(client, admin, deliver_events):
    client.force_login(admin)
    address = reverse("admin:intelligence_scoremodel_add")
    answer = client.post(address, {"subject": "deal"})
    job = Job.objects.get(kind="intelligence.learning")
    assert answer.url == reverse("admin:core_job_change", args=[job.pk])
    again = client.post(address, {"subject": "deal"})
    assert "This score is being learned already." in again.content.decode()
    assert Job.objects.count() == 1
    deliver_events()
    assert ScoreModel.objects.get().verdict == "too_few"


def test_a_model_is_retired_and_published_on_its_page(model, client, admin, deliver_events):
    client.force_login(admin)
    client.post(page(model, "retire"))
    model.refresh_from_db()
    assert model.state == "retired"
    client.post(page(model, "publish"))
    model.refresh_from_db()
    assert model.state == "published"


def test_a_manager_looks_and_changes_nothing(model, client, manager, rep):
    client.force_login(manager)
    answer = client.post(page(model, "retire"))
    assert "This needs the permission score_model:train." in answer.content.decode()
    assert client.get(reverse("admin:intelligence_scoremodel_add")).status_code == 403
    client.force_login(rep)
    assert client.get(page(model)).status_code == 403
    model.refresh_from_db()
    assert model.state == "published"


# --- Command line -------------------------------------------------------------------------------


def test_the_command_line_learns_and_tells(rep):
    closed_deals(400, owner=rep)
    said = StringIO()
    call_command("train_scores", stdout=said)
    lines = said.getvalue().splitlines()
    assert lines[0] == "Deal: Gathered 1,600 rows"
    assert any(line.startswith("Deal: Better than the rules. On later rows") for line in lines)
    assert lines[-1].startswith("Lead: Too few closed rows. There are 0 rows")


def test_the_command_line_refuses_what_there_is_not(db):
    with pytest.raises(CommandError, match="There is no score of a account"):
        call_command("train_scores", "deal", "account", stdout=StringIO())
    assert not Job.objects.exists()


def test_the_command_line_says_that_it_is_being_learned(db, system):
    train_score(subject="deal", actor=system)
    with pytest.raises(CommandError, match="being learned already"):
        call_command("train_scores", "deal", stdout=StringIO())


# --- Drift --------------------------------------------------------------------------------------


def test_too_few_new_deals_say_nothing_about_drift(model, system):
    assert check_drift(actor=system) == 0
    model.refresh_from_db()
    assert model.drift is None


def test_the_clock_sees_that_what_is_scored_has_moved(model, rep):
    for _ in range(FEWEST):
        make_deal(owner=rep, stage="negotiation")
    check_drift_of_scores()
    model.refresh_from_db()
    assert model.drift["stage"] > 0.25
    assert set(model.drift) == {"score", *(one["name"] for one in model.card["columns"])}


def test_refuses_to_check_drift_for_whoever_may_not(model, acting, manager):
    with pytest.raises(NotAllowed):
        check_drift(actor=acting(manager))
