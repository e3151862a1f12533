"""Training killed with -9, wherever it is: it begins again, one model comes of it, and what is open
is scored to the end."""

from __future__ import annotations

import os
import signal

from salesplatform.embedded.services import Services
from tests.embedded.conftest import _own_environment, folder, programs, services  # noqa: F401
from tests.faults.test_servers_killed import Platform, _count

CLOSED, OPEN = 300, 1500
SET_UP = f"""
from copy import copy
from apps.core.actors import system_actor
from apps.core.identifiers import new_id
from apps.core.loading import insert_rows
from apps.intelligence.services.training import train_score
from apps.opportunities.models import Opportunity, OpportunityChange
from tests.factories.intelligence import closed_deals
from tests.factories.users import UserFactory
owner = UserFactory(role="sales_rep")
closed_deals({CLOSED}, owner=owner)
model = Opportunity.objects.open().get()
begun = OpportunityChange.objects.get(opportunity=model)
deals = [copy(model) for _ in range({OPEN - 1})]
changes = [copy(begun) for _ in deals]
for deal, change in zip(deals, changes):
    deal.id, change.id = new_id(), new_id()
    change.opportunity_id = deal.id
insert_rows(Opportunity, deals)
insert_rows(OpportunityChange, changes)
train_score(subject="deal", actor=system_actor(door="clock"))
"""
WORK = """
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.intelligence.services import training
run_job(Job.objects.get(kind="intelligence.{kind}").pk)
"""
# Published already, as far as this worker knows.
DIE_PUBLISHING = """
import os, signal
from apps.intelligence.services import training
published = training.put_in_force
def put_in_force(*given, **named):
    published(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)
training.put_in_force = put_in_force
"""
LEARN, SCORE = WORK.format(kind="learning"), WORK.format(kind="scoring")
SCORED = "opportunities_opportunity WHERE kind = 'open' AND deal_score_version = 'deal-model-1'"


def test_training_killed_in_the_middle_and_at_the_end_comes_to_one_published_model(
    services: Services,  # noqa: F811
) -> None:
    platform = Platform(services)
    platform.command("migrate", "-v0")
    platform.command("shell", "-v0", "-c", SET_UP)
    url = services.environment["DATABASE_URL"]

    def position(kind: str) -> int:
        of_kind = f"SELECT position FROM core_job WHERE kind = 'intelligence.{kind}'"
        return _count(url, f"({of_kind}) AS job CROSS JOIN generate_series(1, job.position)")

    def shell(code: str):
        return platform.process("manage.py", "shell", "-v0", "-c", code)

    with shell(LEARN) as worker:
        platform.wait_until(lambda: position("learning") >= 1)
        os.kill(worker.pid, signal.SIGKILL)
    assert _count(url, "intelligence_scoremodel") == 0
    with shell(DIE_PUBLISHING + LEARN) as worker:
        assert worker.wait(300) == -signal.SIGKILL
    assert _count(url, "core_job WHERE status = 'running'") == 1
    assert _count(url, "intelligence_scoremodel") == 0
    assert _count(url, "core_job WHERE kind = 'intelligence.scoring'") == 0
    # Whoever else comes meanwhile leaves it to the first.
    with shell(LEARN) as one, shell(LEARN) as two:
        assert [each.wait(300) for each in (one, two)] == [0, 0]
    assert _count(url, "core_job WHERE status = 'completed'") == 1
    assert _count(url, "intelligence_scoremodel WHERE version = 1 AND state = 'published'") == 1
    assert _count(url, "intelligence_scoremodel") == 1

    assert _count(url, SCORED) == 0
    with shell(SCORE) as worker:
        platform.wait_until(lambda: position("scoring") >= 1)
        os.kill(worker.pid, signal.SIGKILL)
    scored = position("scoring")
    assert 0 < scored < OPEN
    assert _count(url, SCORED) == scored
    with shell(SCORE) as worker:
        assert worker.wait(300) == 0
    assert (position("scoring"), _count(url, SCORED)) == (OPEN, OPEN)
    assert _count(url, "intelligence_dealprobability") == OPEN
    assert _count(url, "core_job WHERE status = 'completed'") == 2
