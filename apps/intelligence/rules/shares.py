"""Shares of counts, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

# Of a normal distribution, 95 % lie so many standard deviations around its middle.
_DEVIATIONS = 1.959964


@dataclass(frozen=True)
class Share:
    """A share, and between which it lies for 95 of 100 such counts (Wilson's interval)."""

    value: float
    low: float
    high: float


def share_of(hits: int, count: int) -> Share | None:
    """A share with its interval; None of nothing."""
    if not count:
        return None
    value, spread = hits / count, _DEVIATIONS**2 / count
    middle = (value + spread / 2) / (1 + spread)
    reach = _DEVIATIONS * sqrt(value * (1 - value) / count + spread / (4 * count)) / (1 + spread)
    low, high = max(0.0, middle - reach), min(1.0, middle + reach)
    return Share(value, min(low, value), max(high, value))
