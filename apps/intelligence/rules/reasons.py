"""Why a score is what it is: contributions to the log-odds, told in points that add up.

Trees add log-odds, people think in percent. Between the share of a row of which nothing is known
and that of this one, log-odds have one mean slope; by it every contribution becomes points, and
together they are the difference, to the point.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.intelligence.rules.columns import Column, Values

TOLD = 6


@dataclass(frozen=True)
class Prediction:
    """How likely the good outcome of a row is, and what its facts add to the log-odds.

    `base` are the log-odds of a row of which nothing is known; with all contributions they come to
    those of `probability`.
    """

    probability: float
    base: float
    contributions: Mapping[str, float]


@dataclass(frozen=True)
class Reason:
    """What a fact adds to a score or takes from it."""

    key: str
    points: int
    text: str


@dataclass(frozen=True)
class Explained:
    """A score of 0 to 100 with its reasons, whose points add up to it; the base comes first."""

    value: int
    reasons: tuple[Reason, ...]


def explain(
    prediction: Prediction, columns: Sequence[Column], values: Values, *, base_text: str
) -> Explained:
    """The score of a row with its weightiest reasons; what is left is told as one."""
    value = round(100 * prediction.probability)
    base = share(prediction.base)
    slope = mean_slope(prediction.base, log_odds(prediction.probability))
    by_name = {one.name: one for one in columns}
    weighted = sorted(
        ((100 * slope * added, name) for name, added in prediction.contributions.items()),
        key=lambda one: (-abs(one[0]), one[1]),
    )
    reasons = [
        Reason(name, round(points), by_name[name].sentence(values.get(name)))
        for points, name in weighted[:TOLD]
        if round(points)
    ]
    start = Reason("base", round(100 * base), base_text.format(percent=round(100 * base)))
    left = value - start.points - sum(one.points for one in reasons)
    if left:
        reasons.append(Reason("other", left, "Everything else that is known, and rounding."))
    return Explained(value, (start, *reasons))


def share(odds: float) -> float:
    """The probability that has these log-odds."""
    if odds < 0:
        return math.exp(odds) / (1 + math.exp(odds))
    return 1 / (1 + math.exp(-odds))


def log_odds(probability: float) -> float:
    """The log-odds of a probability strictly between 0 and 1."""
    return math.log(probability) - math.log1p(-probability)


def mean_slope(start: float, end: float) -> float:
    """How much probability a unit of log-odds is worth between two of them."""
    if math.isclose(start, end, abs_tol=1e-9):
        return share(start) * (1 - share(start))
    return (share(end) - share(start)) / (end - start)
