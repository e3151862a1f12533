"""Learning a score from the tenant's own history: a job in steps of a few seconds each.

What is gathered lies in the worker's memory. A worker that dies leaves nothing half learned behind:
the next one begins again, and only the last step writes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Max

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.jobs import Step, actor_of_job, request_job, runs
from apps.core.models import Job
from apps.core.permissions import require
from apps.intelligence.errors import AlreadyLearning
from apps.intelligence.models import ScoreModel
from apps.intelligence.permissions import TRAIN_SCORE_MODEL
from apps.intelligence.rules.columns import Subject, Verdict
from apps.intelligence.rules.facts import COLUMNS
from apps.intelligence.services.deals import Moment, closed_deals, known_of_deals
from apps.intelligence.services.engine import digest_of, engine, published, trees_of
from apps.intelligence.services.leads import Ended, ended_leads, known_of_leads, rules_scores
from apps.intelligence.services.publishing import put_in_force

LEARNING_JOB = "intelligence.learning"
SEED = 7
Part = Sequence[Any]


@dataclass
class Gathered:
    """Rows to learn from, as they come in."""

    facts: list[Mapping[str, Any]] = field(default_factory=list)
    outcome: list[bool] = field(default_factory=list)
    group: list[str] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    anyway: list[float] = field(default_factory=list)

    def add_deals(self, part: Sequence[Moment]) -> None:
        """What was known of deals at moments of their lives, and how they ended."""
        for one in known_of_deals(part):
            closed_at = one.moment.closed_at
            assert closed_at is not None
            self.facts.append(one.facts)
            self.outcome.append(one.moment.is_won)
            self.group.append(str(one.moment.deal_id))
            self.at.append(closed_at.timestamp())
            self.anyway.append(one.facts["probability"] / 100)

    def add_leads(self, part: Sequence[Ended]) -> None:
        """What was known of leads when they were captured, and how they ended."""
        ids = [one.lead_id for one in part]
        facts, rules = known_of_leads(ids), rules_scores(ids)
        for one in part:
            self.facts.append(facts[one.lead_id])
            self.outcome.append(one.is_converted)
            self.group.append(str(one.lead_id))
            self.at.append(one.captured_at.timestamp())
            self.anyway.append(rules[one.lead_id] / 100)


_SOURCES: Mapping[str, tuple[Callable[[], list[Any]], Callable[[Gathered, Any], None]]] = {
    Subject.DEAL: (closed_deals, Gathered.add_deals),
    Subject.LEAD: (ended_leads, Gathered.add_leads),
}


@command
def train_score(*, subject: str, actor: Actor) -> Job:
    """Have a score learned anew from what has come to an end; it is published if it is better.

    Args:
        subject: one of `Subject`.
        actor: needs `score_model:train`.

    Raises:
        NotAllowed, AlreadyLearning.
    """
    require(actor, TRAIN_SCORE_MODEL)
    take_turn(f"learning {subject}")
    learning = Job.objects.filter(kind=LEARNING_JOB, parameters__subject=subject)
    if learning.exclude(status__in=Job.ENDED).exists():
        raise AlreadyLearning
    return request_job(LEARNING_JOB, parameters={"subject": str(subject)}, actor=actor)


@runs(LEARNING_JOB)
def start_learning(job: Job, resources: ExitStack) -> Step:
    """Gather rows part by part, then learn step by step, then keep what came of it."""
    subject = job.parameters["subject"]
    parts, add = _SOURCES[subject][0](), _SOURCES[subject][1]
    champion = published(subject)
    work = _work(parts, add, subject, None if champion is None else trees_of(champion.pk))
    # A worker that died took along what it had gathered.
    job.position, job.total = 0, len(parts) + engine("learning").STEPS

    def next_step(job: Job) -> bool:
        try:
            job.message = next(work)
        except StopIteration as done:
            learned = done.value
        else:
            job.position += 1
            return True
        model = _keep(subject, learned, job)
        job.message = f"{model.get_verdict_display()}. {model.card['sentence']}"
        job.succeeded = 1
        return False

    return next_step


def _work(
    parts: Sequence[Part], add: Callable[[Gathered, Any], None], subject: str, champion: Any
) -> Iterator[str]:
    """What is being done, step by step; returns what was learned."""
    rows = Gathered()
    for part in parts:
        add(rows, part)
        yield f"Gathered {len(rows.facts):,} rows"
    learned = yield from engine("learning").learning(
        engine("tables").table_of(
            COLUMNS[Subject(subject)],
            rows.facts,
            outcome=rows.outcome,
            group=rows.group,
            at=rows.at,
            anyway=rows.anyway,
        ),
        seed=SEED,
        champion=champion,
    )
    return learned  # noqa: B901  the result of the steps


def _keep(subject: str, learned: Any, job: Job) -> ScoreModel:
    """Keep what was learned, and put it in force where it is better than what is in force."""
    versions = ScoreModel.objects.filter(subject=subject)
    latest = versions.aggregate(Max("version"))["version__max"] or 0
    is_better = learned.verdict == Verdict.BETTER
    trees = learned.model.text() if is_better else ""
    model = ScoreModel.objects.create(
        subject=subject,
        version=latest + 1,
        state=ScoreModel.State.CHALLENGER if is_better else ScoreModel.State.REFUSED,
        verdict=learned.verdict,
        card=learned.card,
        trees=trees,
        digest=digest_of(trees) if trees else "",
        job=job,
    )
    gain = model.figure("champion_brier_gain")
    if is_better and (gain is None or gain["value"] > 0):
        put_in_force(model, actor=actor_of_job(job))
    return model
