"""What forecasts are made for, how they compare, add up and change. No database, no clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from math import sqrt
from statistics import stdev
from uuid import UUID

from django.db.models import TextChoices

from apps.core.money import CENT, to_cents
from apps.core.periods import Period, PeriodKind, period_containing
from apps.opportunities.rules import Category

# What a deal can count as; `omitted` counts nowhere.
COUNTED = (Category.COMMIT, Category.BEST_CASE, Category.PIPELINE, Category.CLOSED)


class Length(TextChoices):
    """How long a period is."""

    MONTH = PeriodKind.MONTH.value, "Months"
    QUARTER = PeriodKind.QUARTER.value, "Quarters"
    YEAR = PeriodKind.YEAR.value, "Years"


# So many days before the end of a period it is asked what was forecast for it.
HORIZONS = (90, 60, 30, 7, 0)

_COVERAGE_STEP = Decimal("0.0001")


class ForecastType(TextChoices):
    """What a person can commit to. What is closed is counted, not called."""

    COMMIT = "commit"
    BEST_CASE = "best_case"
    PIPELINE = "pipeline"


class Occasion(TextChoices):
    """Why a forecast was computed."""

    NIGHTLY = "nightly"
    EVENT = "event"
    REQUEST = "request"


@dataclass(frozen=True)
class Node:
    """Whose a forecast is: a person's or a territory's."""

    user_id: UUID | None = None
    territory_id: UUID | None = None

    @property
    def id(self) -> UUID:
        """The id of whichever it is."""
        found = self.user_id or self.territory_id
        assert found is not None
        return found


def open_periods(day: date, *, start_month: int) -> tuple[Period, ...]:
    """The periods forecast every night: this year, this and the next quarter and month."""
    year = period_containing(day, PeriodKind.YEAR, start_month=start_month)
    found = [year]
    for kind in (PeriodKind.QUARTER, PeriodKind.MONTH):
        current = period_containing(day, kind, start_month=start_month)
        following = current.ends_on + timedelta(days=1)
        found += [current, period_containing(following, kind, start_month=start_month)]
    return tuple(found)


def coverage(pipeline: Decimal, amount: Decimal) -> Decimal | None:
    """How many times over the pipeline covers an amount; None for an amount of nothing."""
    if not amount:
        return None
    return (pipeline / amount).quantize(_COVERAGE_STEP, rounding=ROUND_HALF_UP)


@dataclass(frozen=True)
class Outlook:
    """What a period may come to: less than `low` in one of ten cases, more than `high` in one."""

    low: Decimal
    median: Decimal
    high: Decimal


@dataclass(frozen=True)
class Chance:
    """An open deal that is won with a probability of 0 to 1, or else brings nothing."""

    amount: Decimal
    probability: float


@dataclass(frozen=True)
class Moments:
    """What is expected of open deals and how far that spreads: these add up, deal by deal."""

    mean: float = 0.0
    variance: float = 0.0
    third: float = 0.0

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.mean + other.mean, self.variance + other.variance, self.third + other.third
        )


# So many deals are worked out one by one; more come close enough to a bell.
FEW_DEALS = 120
_TENTHS = (0.1, 0.5, 0.9)
_DEVIATIONS = (-1.2815515655446004, 0.0, 1.2815515655446004)
_FEW_ENOUGH_FOR_EVERY_CASE = 9
_SUMS = 512


def outlook_of_few(closed: Decimal, deals: Sequence[Chance]) -> Outlook:
    """What a period may come to, from every way in which its open deals can end.

    Exact up to nine deals. Of more, their sums are told apart by a 512th of what is open.
    """
    certain = sum((one.amount for one in deals if one.probability == 1), closed)
    unsure = [one for one in deals if 0 < one.probability < 1]
    is_exact = len(unsure) <= _FEW_ENOUGH_FOR_EVERY_CASE
    reached, found = 0.0, []
    wanted = list(_TENTHS)
    for total, share in _every_case(unsure) if is_exact else _sums(unsure):
        reached += share
        while wanted and reached >= wanted[0] - 1e-9:
            found.append(certain + to_cents(Decimal(total) * CENT))
            wanted.pop(0)
    return Outlook(*found)


def _every_case(deals: Sequence[Chance]) -> list[tuple[float, float]]:
    """Each sum in cents that deals can bring, with its share, in order."""
    cases: dict[float, float] = {0.0: 1.0}
    for one in deals:
        amount = float(one.amount / CENT)
        ended: dict[float, float] = defaultdict(float)
        for total, share in cases.items():
            ended[total] += share * (1 - one.probability)
            ended[total + amount] += share * one.probability
        cases = ended
    return sorted(cases.items())


def _sums(deals: Sequence[Chance]) -> Iterator[tuple[float, float]]:
    """Sums in cents at even distances, with their shares.

    What a deal brings lies between two of them and goes to both, the nearer one more, so that what
    is expected stays as it is.
    """
    most = float(sum(one.amount for one in deals) / CENT)
    step = most / _SUMS or 1.0
    shares = [1.0]
    for one in sorted(deals, key=lambda deal: deal.amount):
        whole, rest = divmod(float(one.amount / CENT) / step, 1)
        near, far = one.probability * (1 - rest), one.probability * rest
        ended = [share * (1 - one.probability) for share in shares]
        ended += [0.0] * (int(whole) + 1)
        for place, share in enumerate(shares, int(whole)):
            ended[place] += share * near
            ended[place + 1] += share * far
        shares = ended
    return ((min(place * step, most), share) for place, share in enumerate(shares))


def outlook_of_many(closed: Decimal, open_amount: Decimal, moments: Moments) -> Outlook:
    """What a period may come to, from the moments of its many open deals.

    A bell, leaning as far as they do (Cornish and Fisher), within what is possible. It leans by two
    at most: further it would turn over.
    """
    spread = sqrt(moments.variance)
    lean = min(max(moments.third / spread**3, -2.0), 2.0) if spread else 0.0

    def at(deviation: float) -> Decimal:
        leaning = deviation + lean * (deviation**2 - 1) / 6
        total = closed + to_cents(Decimal(moments.mean + spread * leaning))
        return min(max(total, closed), closed + open_amount)

    return Outlook(*map(at, _DEVIATIONS))


# What was closed is counted in blocks of so many days, for a year at most.
BLOCK_DAYS = 30
MOST_BLOCKS = 12
LOOKED_BACK = timedelta(days=BLOCK_DAYS * MOST_BLOCKS)
# How many deviations the mean of two to twelve blocks is off in one of ten cases (Student).
_FEWEST_BLOCKS = 2
_DEVIATIONS_OF_FEW = (3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372, 1.363)


@dataclass(frozen=True)
class RunRate:
    """What a period comes to if the days left bring what as many brought before.

    Less than `low` in one of ten cases, more than `high` in one, as much as blocks differed.
    """

    amount: Decimal
    low: Decimal
    high: Decimal


def run_rate(closed: Decimal, blocks: Sequence[Decimal], days_left: int) -> RunRate | None:
    """What a period comes to at the speed so far; None for less than two blocks.

    Args:
        closed: what it brought so far.
        blocks: what each block of days brought, as far back as anything was closed.
        days_left: how much of the period is ahead.
    """
    if len(blocks) < _FEWEST_BLOCKS:
        return None
    blocks_left = Decimal(max(days_left, 0)) / BLOCK_DAYS
    amount = closed + to_cents(sum(blocks, Decimal()) / len(blocks) * blocks_left)
    # What is ahead differs like single blocks do, and their mean is no better known than so many
    # of them tell.
    share = float(blocks_left)
    spread = stdev(map(float, blocks)) * sqrt(share * (1 + share / len(blocks)))
    off = to_cents(Decimal(spread * _DEVIATIONS_OF_FEW[len(blocks) - _FEWEST_BLOCKS]))
    return RunRate(amount, max(amount - off, closed), amount + off)


class Line(TextChoices):
    """Along what forecasts are rolled up."""

    REPORTING = "reporting_line", "Reporting line"
    TERRITORY = "territory", "Territory"


class Voice(TextChoices):
    """What an amount is that somebody gave for a person or territory."""

    SUBMITTED = "submitted"
    ADJUSTED = "adjusted"
    QUOTA = "quota"


@dataclass(frozen=True)
class Said:
    """An amount that somebody gave for a node, which speaks for everybody below it too."""

    node_id: UUID
    voice: str
    forecast_type: str
    currency: str
    amount: Decimal


def in_effect(said: Iterable[Said], above: Mapping[UUID, UUID | None]) -> list[Said]:
    """What is said of some branches in all: whoever is further up speaks for those below.

    What was adjusted replaces what the same node submitted. Submissions that no adjustment touches
    count among the adjusted too, so that these come to all of the branch.

    Args:
        said: at most one of each voice, type and node.
        above: for each node the one above it; None at the head of a branch.
    """
    known = list(said)
    adjusted = {(one.node_id, one.forecast_type) for one in known if one.voice == Voice.ADJUSTED}
    known += [
        replace(one, voice=Voice.ADJUSTED)
        for one in known
        if one.voice == Voice.SUBMITTED and (one.node_id, one.forecast_type) not in adjusted
    ]
    voices = {(one.voice, one.forecast_type, one.node_id) for one in known}

    def is_topmost(one: Said) -> bool:
        node = above[one.node_id]
        while node is not None:
            if (one.voice, one.forecast_type, node) in voices:
                return False
            node = above[node]
        return True

    return [one for one in known if is_topmost(one)]


def said_by_branch(
    said: Mapping[UUID, tuple[str, Decimal]], above: Mapping[UUID, UUID | None]
) -> dict[tuple[UUID, str], Decimal]:
    """What was said of each node with everybody below it, by currency: by the node itself, or else
    by its branches.

    Args:
        said: the currency and the amount, by whoever spoke.
        above: for each node the one above it; None at the top.
    """
    found: dict[tuple[UUID, str], Decimal] = defaultdict(Decimal)
    for speaker, (currency, amount) in said.items():
        found[speaker, currency] += amount
        node = above.get(speaker)
        while node is not None and node not in said:
            found[node, currency] += amount
            node = above.get(node)
    return dict(found)


class Standing(TextChoices):
    """Where a deal stands at a moment, as a forecast of some people or territories and a period
    sees it."""

    ABSENT = "absent", "Not there yet"
    OPEN = "open", "Open"
    CLOSED = "closed", "Won"
    OPEN_ELSEWHEN = "open_elsewhen", "Open, for another period"
    CLOSED_ELSEWHEN = "closed_elsewhen", "Won in another period"
    ELSEWHERE = "elsewhere", "Somebody else's"
    LOST = "lost", "Lost"
    REMOVED = "removed", "Taken out"


HERE = (Standing.OPEN, Standing.CLOSED)


class Movement(TextChoices):
    """Why deals count otherwise at a later moment, in the order in which it is told.

    Taken out is what is omitted from forecasts, lies in the bin or lost its day.
    """

    NEW = "new", "New"
    PULLED = "pulled", "Pulled in"
    MOVED_IN = "moved_in", "Taken over"
    REOPENED = "reopened", "Reopened"
    RESTORED = "restored", "Put back"
    UP = "up", "Up"
    DOWN = "down", "Down"
    REWEIGHTED = "reweighted", "Other probability"
    CURRENCY = "currency", "Other currency"
    WON = "won", "Won"
    PUSHED = "pushed", "Pushed out"
    MOVED_OUT = "moved_out", "Handed over"
    REMOVED = "removed", "Taken out"
    LOST = "lost", "Lost"


_ARRIVALS = {
    Standing.ABSENT: Movement.NEW,
    Standing.OPEN_ELSEWHEN: Movement.PULLED,
    Standing.CLOSED_ELSEWHEN: Movement.PULLED,
    Standing.ELSEWHERE: Movement.MOVED_IN,
    Standing.LOST: Movement.REOPENED,
    Standing.REMOVED: Movement.RESTORED,
}
_DEPARTURES = {
    Standing.ABSENT: Movement.REMOVED,
    Standing.OPEN_ELSEWHEN: Movement.PUSHED,
    Standing.CLOSED_ELSEWHEN: Movement.PUSHED,
    Standing.ELSEWHERE: Movement.MOVED_OUT,
    Standing.LOST: Movement.LOST,
    Standing.REMOVED: Movement.REMOVED,
}
_OPEN = (Standing.OPEN, Standing.OPEN_ELSEWHEN)
_WON = (Standing.CLOSED, Standing.CLOSED_ELSEWHEN)


def movement(before: Standing, after: Standing) -> Movement | None:
    """Why a deal counts otherwise, by where it stood and stands; None where that is the same, or
    where it counts neither before nor after.

    A deal that is won here is won, whenever it was expected, and one that is open again reopened;
    otherwise what takes it in or out of sight comes first.
    """
    if before == after or not {before, after} & set(HERE):
        return None
    if after == Standing.CLOSED and before not in (Standing.ELSEWHERE, Standing.CLOSED_ELSEWHEN):
        return Movement.WON
    if before in _WON and after in _OPEN:
        return Movement.REOPENED
    return _DEPARTURES[after] if after not in HERE else _ARRIVALS[before]
