"""The next best action: what would help a deal or a lead most, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import TextChoices

from apps.core.money import to_cents
from apps.opportunities.rules import Health, Reason, deal_score

# For so long nothing is heard of a deal before somebody should get in touch.
QUIET = timedelta(days=14)
# What is worth knowing only once a deal is likely enough.
_LIKELY_PERCENT = 40
_GAIN_OF_CONTACT = 8
_GAIN_OF_PRODUCTS = 4
_GAIN_OF_CRITERIA = 5


class Decision(TextChoices):
    """What somebody made of a suggestion."""

    ACCEPTED = "accepted"
    DISMISSED = "dismissed"


class Ending(TextChoices):
    """How a suggestion ended: what it asks for is done, the deal is closed, the lead is converted
    or given up, either is deleted, or what was decided is too long ago."""

    DONE = "done"
    WON = "won"
    LOST = "lost"
    CONVERTED = "converted"
    GIVEN_UP = "given_up", "Given up"
    DELETED = "deleted"
    LAPSED = "lapsed"


# So long nobody is told again what they decided on.
PATIENCE = {Decision.ACCEPTED: timedelta(days=14), Decision.DISMISSED: timedelta(days=30)}


@dataclass(frozen=True)
class OpenDeal:
    """What suggestions go by.

    Attributes:
        health: as its score has it.
        stage_since: the day on which it came to where it stands.
        closes_on: the day that is expected, if any.
        heard_on: the last day on which somebody was in touch, or the one on which it began.
        has_plan: whether something about it is planned.
    """

    health: Health
    stage_since: date
    closes_on: date | None
    heard_on: date
    has_plan: bool


@dataclass(frozen=True)
class Suggested:
    """One thing to do. `gain` is in points of the deal's score, or percent of what a lead is worth.

    What `is_early` is not worth asking yet, though it is not done either.
    """

    key: str
    sentence: str
    reason: str
    gain: int
    is_early: bool = False

    def value_of(self, amount: Decimal) -> Decimal:
        """What it is worth to do it: a point is taken for a percent of winning."""
        return to_cents(amount * self.gain / 100)


def suggestions_for(deal: OpenDeal, today: date) -> list[Suggested]:
    """What to do about an open deal, what helps most first."""
    reasons = [one for one in deal_score(deal.health).reasons if one.points < 0]
    found = [
        *_asked_by_score(deal, {one.key: -one.points for one in reasons}, today),
        *_of_customer(reasons),
        *_contact(deal, today),
        *_worth_knowing(deal.health),
    ]
    return sorted(found, key=lambda one: (-one.gain, one.key))


def _asked_by_score(deal: OpenDeal, costs: dict[str, int], today: date) -> Iterator[Suggested]:
    """What takes points from the deal's score, and can be done something about."""
    if gain := costs.get("next_step"):
        yield Suggested("next_step", "Agree on the next step.", "None is agreed.", gain)
    if gain := costs.get("amount"):
        yield Suggested("amount", "Say what it is worth.", "No amount is stated.", gain)
    gain, closes_on = costs.get("expected_close_date", 0), deal.closes_on
    if closes_on is None:
        reason = "Nobody said when it closes."
        yield Suggested("close_date", "Agree on the day it closes.", reason, gain)
    elif closes_on < today:
        reason = f"It should have closed on {_in_words(closes_on)}."
        yield Suggested("close_date", "Close it, or agree on another day.", reason, gain)
    if gain := costs.get("stage_age"):
        stage, since = deal.health.stage, _in_words(deal.stage_since)
        reason = f"In {stage.key} since {since}, where {stage.expected_days} days are usual."
        yield Suggested("stage_age", "Move it on, or close it as lost.", reason, gain)


_FOR_CUSTOMERS = {
    "critical_tickets": "See that support solves it.",
    "customer_health": "Find out what the customer lacks.",
}


def _of_customer(reasons: Iterable[Reason]) -> Iterator[Suggested]:
    """What a customer who fares badly needs before they buy more."""
    for one in reasons:
        if one.key in _FOR_CUSTOMERS:
            yield Suggested(one.key, _FOR_CUSTOMERS[one.key], one.text, -one.points)


def _contact(deal: OpenDeal, today: date) -> Iterator[Suggested]:
    if deal.has_plan or today - deal.heard_on <= QUIET:
        return
    reason = f"Nobody was in touch since {_in_words(deal.heard_on)}, and nothing is planned."
    yield Suggested("contact", "Get in touch.", reason, _GAIN_OF_CONTACT)


def _worth_knowing(health: Health) -> Iterator[Suggested]:
    is_early = health.stage.probability < _LIKELY_PERCENT
    if not health.has_lines:
        name, reason = "Name the products.", "None is named."
        yield Suggested("products", name, reason, _GAIN_OF_PRODUCTS, is_early)
    if not health.knows_decision_criteria:
        ask, reason = "Ask how they decide.", "Nobody knows what they decide by."
        yield Suggested("decision_criteria", ask, reason, _GAIN_OF_CRITERIA, is_early)


# What only those do who may assign.
ASSIGN = "assign"
# A lead of this score is a good one.
GOOD_SCORE = 60
ANSWERED_WITHIN = timedelta(days=1)
CONVERTED_WITHIN = timedelta(days=7)
_GAIN_OF_ANSWER = 10
_GAIN_OF_ASSIGNMENT = 10
_GAIN_OF_CONVERSION = 8


@dataclass(frozen=True)
class OpenLead:
    """What suggestions about a lead go by.

    Attributes:
        is_unrouted: whether no territory claimed it and nobody owns it.
        captured_at: when it came in.
        qualified_at: since when it is worth selling to, if it is.
        heard_at: when somebody was last in touch, with this or one folded into it, if anybody was.
        answered_at: when that last was an answer: what came in is none.
        has_plan: whether something about it is planned.
    """

    status: str
    score: int
    is_unrouted: bool
    captured_at: datetime
    qualified_at: datetime | None
    heard_at: datetime | None
    answered_at: datetime | None
    has_plan: bool

    @property
    def is_good(self) -> bool:
        """Whether its score says that it is worth hurrying."""
        return self.score >= GOOD_SCORE


def suggestions_for_lead(
    lead: OpenLead, now: datetime, day_of: Callable[[datetime], date]
) -> list[Suggested]:
    """What to do about an open lead, what helps most first; `day_of` is the organisation's day."""
    found = [*_assignment(lead), *_answer(lead, now, day_of)]
    if lead.qualified_at is not None and now - lead.qualified_at > CONVERTED_WITHIN:
        reason = f"Qualified on {_in_words(day_of(lead.qualified_at))}."
        found.append(
            Suggested("convert", "Convert it, or give it up.", reason, _GAIN_OF_CONVERSION)
        )
    if lead.status == "contacted" and not lead.has_plan:
        heard_at = lead.heard_at or lead.captured_at
        if now - heard_at > QUIET:
            reason = f"Quiet since {_in_words(day_of(heard_at))}, and nothing is planned."
            found.append(Suggested("follow_up", "Get in touch again.", reason, _GAIN_OF_CONTACT))
    return sorted(found, key=lambda one: (-one.gain, one.key))


def _assignment(lead: OpenLead) -> Iterator[Suggested]:
    if lead.is_unrouted and lead.is_good:
        reason = f"Its score is {lead.score}, and nobody owns it."
        yield Suggested(ASSIGN, "Give it to somebody.", reason, _GAIN_OF_ASSIGNMENT)


def _answer(
    lead: OpenLead, now: datetime, day_of: Callable[[datetime], date]
) -> Iterator[Suggested]:
    is_waiting = lead.status == "new" and lead.answered_at is None and not lead.is_unrouted
    if is_waiting and lead.is_good and now - lead.captured_at > ANSWERED_WITHIN:
        captured = _in_words(day_of(lead.captured_at))
        reason = f"Its score is {lead.score}, and nobody answered since {captured}."
        yield Suggested("answer", "Answer it.", reason, _GAIN_OF_ANSWER)


@dataclass(frozen=True)
class Typical:
    """What sales of this organisation are like: how many leads are converted, how many deals are
    won, and the amount in the middle of those that were."""

    converted: Decimal
    won: Decimal
    amount: Decimal

    def worth_of(self, chance: Decimal | None) -> Decimal:
        """What may be expected of a lead that is converted with this chance, else the usual one.

        To two figures: no more is known, and it stays the same from night to night.
        """
        exact = self.amount * self.won * (self.converted if chance is None else chance)
        return Decimal(f"{exact:.1e}")


def _in_words(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
