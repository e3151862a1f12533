"""The guard against columns that know the answer, because they are filled in after it.

A column of an honest table tells something; one that tells nearly everything was written by the
outcome. The guard refuses columns by name and says why, and names those it can't tell from honest
ones, so that a person decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apps.intelligence.rules.columns import Column, Kind, Known
from apps.intelligence.rules.measures import Array, auc

TELLS_ALL = 0.90
TELLS_BY_ABSENCE = 0.80
SUSPECT_BY_ABSENCE = 0.60
CERTAIN = 0.95
CERTAIN_ROWS = 0.25
RARE = 0.10
FOLDS = 5
BINS = 20
# A value seen less often than this says little of its own.
PRIOR_ROWS = 10
FEWEST_ROWS = 30


@dataclass(frozen=True)
class Finding:
    """A column that is not learned from, or that somebody should look at, and why."""

    column: str
    reason: str

    def as_json(self) -> dict[str, str]:
        """As a card keeps it."""
        return {"column": self.column, "reason": self.reason}


def refusal(column: Column, values: Array, outcome: Array, fold: Array) -> Finding | None:
    """Why a column must not be learned from, if so.

    Args:
        column: what it is.
        values: codes of categories or numbers; NaN where there is none.
        outcome: whether it ended well.
        fold: a number below `FOLDS` for every row; what is told of a row comes from the others.
    """
    if column.known == Known.AFTERWARDS:
        return Finding(column.name, "It is declared to be filled in afterwards.")
    code = _binned(column, values)
    alone = auc(_told_by_others(code, outcome, fold), outcome)
    if alone >= TELLS_ALL:
        return Finding(column.name, f"It tells the outcome almost alone (AUC {alone:.2f}).")
    absent = _told_by_absence(values, outcome)
    if absent >= TELLS_BY_ABSENCE:
        return Finding(
            column.name, f"Whether it is filled in at all tells the outcome (AUC {absent:.2f})."
        )
    certain = _certain_rows(code, outcome)
    if certain >= CERTAIN_ROWS:
        return Finding(
            column.name,
            f"Its values come with one outcome only in {100 * certain:.0f} % of the rows.",
        )
    return None


def suspicion(column: Column, values: Array, outcome: Array) -> Finding | None:
    """Why somebody should look at a column, if so."""
    absent = _told_by_absence(values, outcome)
    if absent >= SUSPECT_BY_ABSENCE:
        return Finding(
            column.name, f"Whether it is filled in says much about the outcome (AUC {absent:.2f})."
        )
    return None


def _binned(column: Column, values: Array) -> Array:
    """Whole numbers from 0 on; what is missing has the first."""
    absent = np.isnan(values)
    if column.kind == Kind.CATEGORY or absent.all():
        return np.where(absent, 0, np.nan_to_num(values) + 1).astype(int)
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.where(absent, 0, np.searchsorted(edges, values) + 1)


def _told_by_others(code: Array, outcome: Array, fold: Array) -> Array:
    """How the rows with the same value ended that lie in other folds."""
    told = np.empty(len(code))
    size = code.max() + 1
    for one in range(FOLDS):
        is_here = fold == one
        others = code[~is_here]
        rows = np.bincount(others, minlength=size)
        good = np.bincount(others, weights=outcome[~is_here], minlength=size)
        prior = outcome[~is_here].mean()
        told[is_here] = ((good + PRIOR_ROWS * prior) / (rows + PRIOR_ROWS))[code[is_here]]
    return told


def _told_by_absence(values: Array, outcome: Array) -> float:
    found = auc(np.isnan(values).astype(float), outcome)
    return max(found, 1 - found)


def _certain_rows(code: Array, outcome: Array) -> float:
    """The share of rows whose value, seen often, nearly always ends the same way.

    Where nearly everything ends the same way that is no wonder.
    """
    if not RARE <= outcome.mean() <= 1 - RARE:
        return 0.0
    rows = np.bincount(code)
    good = np.bincount(code, weights=outcome)
    rate = good / np.maximum(rows, 1)
    is_certain = (rows >= FEWEST_ROWS) & ((rate >= CERTAIN) | (rate <= 1 - CERTAIN))
    return float(rows[is_certain].sum() / len(code))
