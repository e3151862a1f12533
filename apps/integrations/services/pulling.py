"""What partners know by now, asked for by the clock and taken over like what they say themselves.

Each partner is asked on a thread of its own, which knows no database: whoever is slow or dead
delays nobody else. What comes back is written by the thread that started them. A run asks about so
many subjects, goes on where the last one ended, and ends in time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.accounts.selectors import accounts_known_at
from apps.core.actors import Actor, become
from apps.core.commands import acting
from apps.core.errors import InvalidInput, NotAllowed, Refusal
from apps.core.identifiers import identifier_in
from apps.customer_success.services.cases import close_unlisted_tickets
from apps.customer_success.services.news import News
from apps.integrations.metrics import partner_left_alone, partners_asked
from apps.integrations.models import Partner, PartnerLine
from apps.integrations.rules.pulls import PULLS, Answered, Garbled, Pull, read
from apps.integrations.services.asking import Away, Line, Refused, Unanswered, is_left_alone
from apps.integrations.services.messages import Heard, understand
from apps.leads.selectors import campaigns_named_by

log = logging.getLogger(__name__)

RUN_SECONDS = 45.0
AT_ONCE = 1000
LONGEST_TROUBLE = 300
_BEGINNING = UUID(int=0)


@dataclass(frozen=True)
class Subject:
    """Something that a partner is asked about: under its id there, told of by ours."""

    there: str
    here: str
    position: str


@dataclass
class Visit:
    """One run of questions to one partner."""

    partner: Partner
    client: Actor
    line: Line
    subjects: Sequence[Subject]
    position: str
    trouble: str = ""
    answered_at: datetime | None = None
    is_done: bool = False


@dataclass(frozen=True)
class Reply:
    """What came back on a question; None where the partner knows of no such thing."""

    visit: Visit
    subject: Subject
    pull: Pull
    text: str | None


@dataclass(frozen=True)
class Passed:
    """A subject was asked about, well or badly."""

    visit: Visit
    subject: Subject
    trouble: str = ""


@dataclass(frozen=True)
class Ended:
    """Nothing more is asked in this run."""

    visit: Visit
    trouble: str = ""


@dataclass
class Run:
    """Visits that go on side by side until all have ended or the time is up."""

    visits: Sequence[Visit]
    ends_at: float
    told: SimpleQueue[Reply | Passed | Ended] = field(default_factory=SimpleQueue)


def pull_from_partners(*, actor: Actor, seconds: float = RUN_SECONDS) -> int:
    """Ask every partner that can be asked what it knows by now; how many answers said something.

    What is taken over is written in the name of each partner's machine client.

    Args:
        actor: who has it done.
        seconds: after which no more is asked in this run.
    """
    visits = [one for partner in _partners() if (one := _visit(partner, actor)) is not None]
    run = Run(visits, time.monotonic() + seconds)
    if not visits:
        return 0
    threads = ThreadPoolExecutor(len(visits), thread_name_prefix="partner")
    try:
        for visit in visits:
            threads.submit(_ask_all, visit, run)
        return _take_all(run)
    finally:
        for visit in visits:
            visit.line.close()
        # Whoever still waits for an answer finds that we hung up.
        threads.shutdown(wait=False, cancel_futures=True)
        for visit in visits:
            _note(visit)


def _partners() -> Sequence[Partner]:
    askable = Partner.objects.exclude(base_url="").filter(paused_at=None, kind__in=PULLS)
    return list(askable.select_related("client").order_by("key"))


def _visit(partner: Partner, actor: Actor) -> Visit | None:
    line, _ = PartnerLine.objects.get_or_create(partner=partner)
    try:
        client = become(partner.client_id, door="clock", request_id=actor.request_id)
        opened = Line(partner)
    except (NotAllowed, ValueError) as failure:
        # A token that can't be unsealed is a ValueError.
        line.trouble = str(failure)[:LONGEST_TROUBLE]
        line.save(update_fields=["trouble"])
        return None
    subjects = _subjects(partner, line.position, client)
    return Visit(partner, client, opened, subjects, line.position)


def _subjects(partner: Partner, position: str, client: Actor) -> list[Subject]:
    """What a partner is asked about next: marketing its campaigns, others accounts."""
    if partner.kind == Partner.Kind.MARKETING:
        named = campaigns_named_by(partner.key, after=position, limit=AT_ONCE, actor=client)
        return [Subject(one, one, one) for one in named]
    after = identifier_in(position) or _BEGINNING
    found = accounts_known_at(partner.key, after=after, limit=AT_ONCE, actor=client)
    return [Subject(there, str(here), str(here)) for here, there in found]


def _take_all(run: Run) -> int:
    """Write down what comes back; how many answers said something."""
    taken = 0
    while not all(one.is_done for one in run.visits):
        try:
            told = run.told.get(timeout=max(run.ends_at - time.monotonic(), 0.0))
        except Empty:
            break
        visit = told.visit
        if isinstance(told, Reply):
            taken += _take(told)
            continue
        visit.trouble = told.trouble or visit.trouble
        if isinstance(told, Passed):
            visit.position = told.subject.position
        else:
            visit.is_done = True
    return taken


def _take(reply: Reply) -> bool:
    """Take a reply over, as far as it can be; whether it said anything."""
    visit, pull = reply.visit, reply.pull
    visit.answered_at = timezone.now()
    outcome = "nothing"
    try:
        if reply.text is not None:
            answered = read(reply.text, pull, reply.subject.here)
            with acting(visit.client):
                _carry_out(answered, reply)
            outcome = "taken" if answered.bodies else "nothing"
    except Garbled as failure:
        outcome, visit.trouble = "garbled", f"{pull.path}: {failure}"
    except Refusal as refusal:
        outcome, visit.trouble = "refused", f"{pull.path}: {refusal.message}"
    except Exception:
        log.exception("what %s replied could not be taken over", visit.partner.key)
        outcome, visit.trouble = "failed", f"{pull.path}: It could not be taken over."
    partners_asked.labels(visit.partner.key, outcome).inc()
    return outcome == "taken"


def _carry_out(answered: Answered, reply: Reply) -> None:
    """Let the services do what a reply comes to: all of it or nothing."""
    partner, client = reply.visit.partner, reply.visit.client
    listed = set()
    for body in answered.bodies:
        message = understand(body, partner=partner.key, kind=partner.kind)
        message.payload.carry_out(Heard(partner.key, message.told_at, client))
        listed.add(message.payload.subject)
    if reply.pull.whole and answered.as_of is not None:
        news = News(
            account_id=reply.subject.here, partner=partner.key, as_of=_moment(answered.as_of)
        )
        close_unlisted_tickets(news=news, listed=listed, actor=client)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput.field("as_of", "This is not a moment.") from None
    if moment.tzinfo is None:
        raise InvalidInput.field("as_of", "Give the moment's offset.")
    return moment


def _note(visit: Visit) -> None:
    """Keep how far a visit came, and how it went; after the last subject comes the first."""
    last = visit.subjects[-1].position if visit.subjects else visit.position
    is_round = visit.position == last and len(visit.subjects) < AT_ONCE
    trouble = visit.trouble or ("" if visit.is_done else "It is too slow to be asked everything.")
    facts: dict[str, Any] = {
        "position": "" if is_round else visit.position,
        "asked_at": timezone.now(),
        "trouble": trouble[:LONGEST_TROUBLE],
    }
    if visit.answered_at is not None:
        facts["answered_at"] = visit.answered_at
    PartnerLine.objects.filter(partner=visit.partner).update(**facts)
    partner_left_alone.labels(visit.partner.key).set(is_left_alone(visit.partner))


# --- In a thread of its own, far from the database ----------------------------------------------


def _ask_all(visit: Visit, run: Run) -> None:
    """Ask a partner about one subject after the other, until it goes away or the time is up."""
    trouble = ""
    try:
        for subject in visit.subjects:
            if time.monotonic() > run.ends_at:
                return
            passed = _ask_about(subject, visit, run)
            # What fails is passed too: otherwise the run would begin with it for ever.
            run.told.put(passed)
            if passed.trouble and visit.line.is_open:
                return
    except Refused as failure:
        partners_asked.labels(visit.partner.key, "turned away").inc()
        trouble = str(failure)
    except Exception as failure:
        # Once the time is up we hang up, which is no failure.
        if time.monotonic() < run.ends_at:
            log.exception("asking %s failed", visit.partner.key)
        trouble = type(failure).__name__
    finally:
        run.told.put(Ended(visit, trouble))


def _ask_about(subject: Subject, visit: Visit, run: Run) -> Passed:
    """Ask everything about one subject, until a question is not answered. Raises Refused."""
    try:
        for pull in PULLS[visit.partner.kind]:
            text = visit.line.ask(pull.path_of(subject.there))
            run.told.put(Reply(visit, subject, pull, text))
    except Away as failure:
        partners_asked.labels(visit.partner.key, "away").inc()
        return Passed(visit, subject, str(failure))
    except Unanswered as failure:
        partners_asked.labels(visit.partner.key, "unanswered").inc()
        return Passed(visit, subject, str(failure))
    return Passed(visit, subject)
