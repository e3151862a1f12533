"""How good a probability is: ranking, error and calibration, each with its interval.

Rows of one deal resemble each other, so intervals draw whole deals again, not rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

Array = np.ndarray[Any, Any]

DRAWS = 200
BINS = 10
# Shares of nothing are taken for this little, so that their logarithm exists.
_LEAST_SHARE = 1e-4


@dataclass(frozen=True)
class Figure:
    """A number with the interval that holds it in 95 of 100 draws."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        """As a card keeps it."""
        return {"value": self.value, "low": self.low, "high": self.high}


def auc(scores: Array, outcome: Array) -> float:
    """How often a good row outranks a bad one; ties count half, one kind alone tells nothing."""
    good = int(outcome.sum())
    bad = len(outcome) - good
    if not good or not bad:
        return 0.5
    return float((rankdata(scores)[outcome].sum() - good * (good + 1) / 2) / (good * bad))


def brier(scores: Array, outcome: Array) -> float:
    """The mean squared error of probabilities."""
    return float(np.mean((scores - outcome) ** 2))


def calibration_error(scores: Array, outcome: Array) -> float:
    """How far probabilities are from what happened, on average over bins of equal size."""
    bins = reliability(scores, outcome)
    return sum(one["rows"] * abs(one["expected"] - one["happened"]) for one in bins) / len(scores)


def reliability(scores: Array, outcome: Array) -> list[dict[str, float]]:
    """What was expected and what happened, from the least to the most likely tenth."""
    order = np.argsort(scores, kind="stable")
    return [
        {
            "rows": len(part),
            "expected": float(scores[part].mean()),
            "happened": float(outcome[part].mean()),
        }
        for part in np.array_split(order, BINS)
        if len(part)
    ]


def interval(measure: Callable[[Array], float], groups: Array, *, seed: int) -> Figure:
    """A measure of rows, given by their positions, over all of them and over draws of groups."""
    names, member = np.unique(groups, return_inverse=True)
    order = np.argsort(member, kind="stable")
    starts = np.searchsorted(member[order], np.arange(len(names) + 1))
    chance = np.random.default_rng(seed)
    drawn = []
    for _ in range(DRAWS):
        picked = chance.integers(len(names), size=len(names))
        sizes = starts[picked + 1] - starts[picked]
        offsets = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        drawn.append(measure(order[np.repeat(starts[picked], sizes) + offsets]))
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Figure(measure(np.arange(len(groups))), float(low), float(high))


def stability_index(before: Array, now: Array) -> float:
    """The population stability index of two distributions over the same bins.

    Below 0.1 nothing moved, above 0.25 it is another population.
    """
    expected = np.maximum(before / max(before.sum(), 1), _LEAST_SHARE)
    found = np.maximum(now / max(now.sum(), 1), _LEAST_SHARE)
    return float(np.sum((found - expected) * np.log(found / expected)))
