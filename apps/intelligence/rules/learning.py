"""Learning from rows whose end is known: trees, their calibration, and the proof on later rows.

The last part of the rows, by time or by hash where there is none, is held out. Trees are grown on
what comes before and calibrated on folds of it that they did not see. They are worth something only
if, on the rows held out, they rank better and err less than what is known anyway, beyond chance.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xgboost as xgb

from apps.intelligence.rules.columns import Column, Verdict
from apps.intelligence.rules.guard import FOLDS, Finding, refusal, suspicion
from apps.intelligence.rules.measures import (
    Array,
    Figure,
    auc,
    brier,
    calibration_error,
    interval,
    reliability,
)
from apps.intelligence.rules.reasons import log_odds
from apps.intelligence.rules.reference import Reference
from apps.intelligence.rules.tables import Table
from apps.intelligence.rules.trees import LEAST, Encoding, Model, matrix, shares

HELD_OUT = 0.2
FEWEST_ROWS = 200
FEWEST_OF_A_KIND = 40
TOO_GOOD = 0.95
MOST_TREES = 800
PATIENCE = 30
# Looking for leaks, a fold at a time, all folds, measuring, the result.
STEPS = FOLDS + 4
_TREES = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "tree_method": "hist",
    "grow_policy": "lossguide",
    "max_leaves": 31,
    "max_depth": 0,
    "max_bin": 1024,
    "max_cat_to_onehot": 4,
    "eta": 0.06,
    "min_child_weight": 10,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "nthread": 1,
}
# What is being done, and at last what came of it.
Steps = Generator[str, None, "Learned"]


@dataclass(frozen=True)
class Learned:
    """What came of learning: a verdict, the card that says why, and the model if there is one."""

    verdict: Verdict
    card: dict[str, Any]
    model: Model | None = None


def learn(table: Table, *, seed: int, champion: Model | None = None) -> Learned:
    """Learn from rows, prove it on those held out, and say whether it is worth anything.

    The same rows and seed give the same model.
    """
    steps = learning(table, seed=seed, champion=champion)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            learned: Learned = done.value
            return learned


def learning(table: Table, *, seed: int, champion: Model | None = None) -> Steps:
    """The same in `STEPS` steps at most, each of a few seconds: what is done next, then the result.

    With a `champion` the card says how that one does on the same rows held out.
    """
    place = table.places()
    is_held_out = place >= round(len(np.unique(place)) * (1 - HELD_OUT))
    card = _card(table, is_held_out, seed)
    if reason := _too_few(table.outcome, is_held_out):
        return Learned(Verdict.TOO_FEW, {**card, "sentence": reason})

    yield "Looking for columns that know the answer"
    fold = _folds(place, seed)
    columns, refused, suspects = _guarded(table, ~is_held_out, fold)
    card |= {
        "refused": [one.as_json() for one in refused],
        "suspects": [one.as_json() for one in suspects],
    }
    if not columns:
        return Learned(Verdict.NO_SIGNAL, {**card, "sentence": "No column is left to learn from."})

    before, later = table.part(~is_held_out), table.part(is_held_out)
    model, trees = yield from _fitting(before, columns, fold[~is_held_out], seed)
    yield "Measuring on rows held out"
    figures, scores = _figures(model, champion, before, later, place[is_held_out], seed)
    verdict, sentence = _verdict(figures)
    card |= {
        "columns": [{"name": one.name, "label": one.label} for one in columns],
        "trees": trees,
        "figures": {name: one.as_json() for name, one in figures.items()},
        "reliability": reliability(scores, later.outcome),
        "weights": _weights(model, later),
        "reference": Reference.of(model, before).as_json(),
        "sentence": sentence,
    }
    return Learned(verdict, card, model)


def _folds(place: Array, seed: int) -> Array:
    """The fold of each row; rows of a group share one."""
    chance = np.random.default_rng(seed)
    return chance.permutation(place.max() + 1)[place] % FOLDS


def _too_few(outcome: Array, is_held_out: Array) -> str:
    if len(outcome) < FEWEST_ROWS:
        return f"There are {len(outcome)} rows whose end is known; {FEWEST_ROWS} are needed."
    for rows, of_a_kind in ((~is_held_out, FEWEST_OF_A_KIND), (is_held_out, FEWEST_OF_A_KIND // 4)):
        good = int(outcome[rows].sum())
        if min(good, int(rows.sum()) - good) < of_a_kind:
            return "Nearly all rows end the same way, so there is nothing to tell apart."
    return ""


def _card(table: Table, is_held_out: Array, seed: int) -> dict[str, Any]:
    """What the model is made from, whatever comes of it."""
    card: dict[str, Any] = {
        "seed": seed,
        "library": f"xgboost {xgb.__version__}",
        "rows": len(table),
        "decided": len(np.unique(table.group)),
        "held_out_rows": int(is_held_out.sum()),
        "good_share": float(table.outcome.mean()) if len(table) else None,
        "ordered_by": "hash" if table.at is None else "time",
        "columns": [],
        "refused": [],
        "suspects": [],
    }
    if table.at is not None and len(table):
        card["from"], card["until"] = _moment(table.at.min()), _moment(table.at.max())
        if is_held_out.any():
            card["held_out_from"] = _moment(table.at[is_held_out].min())
    return card


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).isoformat()


def _guarded(
    table: Table, rows: Array, fold: Array
) -> tuple[list[Column], list[Finding], list[Finding]]:
    """The columns that may be learned from, those refused, and those to look at."""
    allowed, refused, suspects = [], [], []
    outcome = table.outcome[rows]
    for column in table.columns:
        values = table.values[column.name][rows]
        encoded = Encoding.of(column, values).encode(values)
        if found := refusal(column, encoded, outcome, fold[rows]):
            refused.append(found)
            continue
        if doubt := suspicion(column, encoded, outcome):
            suspects.append(doubt)
        if len(np.unique(encoded)) > 1:
            allowed.append(column)
    return allowed, refused, suspects


def _fitting(
    table: Table, columns: Sequence[Column], fold: Array, seed: int
) -> Generator[str, None, tuple[Model, int]]:
    """Trees grown on all rows, calibrated by what trees of other folds said of each row."""
    encodings = tuple(Encoding.of(one, table.values[one.name]) for one in columns)
    whole = matrix(encodings, table.values, table.outcome)
    # A deal counts once, however often it was looked at.
    _, member, rows_of_group = np.unique(table.group, return_inverse=True, return_counts=True)
    whole.set_weight(1 / rows_of_group[member])
    settings = {**_TREES, "seed": seed}
    unseen = np.empty(len(table))
    rounds = []
    for one in range(FOLDS):
        yield f"Growing trees, fold {one + 1} of {FOLDS}"
        others, here = np.flatnonzero(fold != one), np.flatnonzero(fold == one)
        grown = xgb.train(
            settings,
            whole.slice(others),
            MOST_TREES,
            evals=[(whole.slice(here), "here")],
            early_stopping_rounds=PATIENCE,
            verbose_eval=False,
        )
        rounds.append(grown.best_iteration + 1)
        unseen[here] = grown.predict(
            whole.slice(here), output_margin=True, iteration_range=(0, grown.best_iteration + 1)
        )
    slope, intercept = _line(unseen, table.outcome)
    trees = round(float(np.mean(rounds)))
    yield "Growing trees on all folds"
    booster = xgb.train(settings, whole, trees)
    text = bytes(booster.save_raw("json")).decode()
    return Model(text, encodings, slope, intercept), trees


def _line(margin: Array, outcome: Array) -> tuple[float, float]:
    """Slope and intercept that make log-odds of margins, by Newton's steps (Platt).

    A little is given to flat lines, so that it ends where rows can be told apart completely.
    """
    design = np.column_stack([margin, np.ones(len(margin))])
    line = np.array([1.0, 0.0])
    for _ in range(50):
        expected = shares(design @ line)
        slope = design.T @ (expected - outcome) + np.array([1e-3 * line[0], 0.0])
        bend = (design * (expected * (1 - expected))[:, None]).T @ design + 1e-3 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        line -= step
        if np.abs(step).max() < 1e-10:
            break
    # Calibration never turns the order of the trees around.
    return max(float(line[0]), 1e-3), float(line[1])


def _anyway(before: Table, later: Table) -> Array:
    """What is thought likely without learning, as well calibrated as it can be."""
    if before.anyway is None or later.anyway is None:
        return np.full(len(later), before.outcome.mean())
    margin = np.array([log_odds(min(max(one, LEAST), 1 - LEAST)) for one in before.anyway])
    slope, intercept = _line(margin, before.outcome)
    margin = np.array([log_odds(min(max(one, LEAST), 1 - LEAST)) for one in later.anyway])
    return shares(slope * margin + intercept)


def _figures(
    model: Model, champion: Model | None, before: Table, later: Table, place: Array, seed: int
) -> tuple[dict[str, Figure], Array]:
    scores, anyway, outcome = (
        model.probabilities(later.values),
        _anyway(before, later),
        later.outcome,
    )

    def of(measure: Callable[[Array], float]) -> Figure:
        return interval(measure, place, seed=seed)

    figures = {
        "auc": of(lambda rows: auc(scores[rows], outcome[rows])),
        "auc_anyway": of(lambda rows: auc(anyway[rows], outcome[rows])),
        "auc_gain": of(
            lambda rows: auc(scores[rows], outcome[rows]) - auc(anyway[rows], outcome[rows])
        ),
        "brier": of(lambda rows: brier(scores[rows], outcome[rows])),
        "brier_anyway": of(lambda rows: brier(anyway[rows], outcome[rows])),
        "brier_gain": of(
            lambda rows: brier(anyway[rows], outcome[rows]) - brier(scores[rows], outcome[rows])
        ),
        "calibration_error": of(lambda rows: calibration_error(scores[rows], outcome[rows])),
    }
    if champion is not None:
        theirs = champion.probabilities(later.values)
        figures |= {
            "champion_auc": of(lambda rows: auc(theirs[rows], outcome[rows])),
            "champion_brier": of(lambda rows: brier(theirs[rows], outcome[rows])),
            "champion_brier_gain": of(
                lambda rows: brier(theirs[rows], outcome[rows]) - brier(scores[rows], outcome[rows])
            ),
        }
    return figures, scores


def _verdict(figures: Mapping[str, Figure]) -> tuple[Verdict, str]:
    if figures["auc"].value >= TOO_GOOD:
        return Verdict.TOO_GOOD, (
            f"It is right too often (AUC {figures['auc'].value:.3f}): some column knows the answer."
            " Say which are filled in afterwards."
        )
    if figures["auc_gain"].low > 0 and figures["brier_gain"].low > 0:
        return Verdict.BETTER, (
            f"On later rows it ranks better (AUC {figures['auc'].value:.3f} against"
            f" {figures['auc_anyway'].value:.3f}) and errs less (Brier"
            f" {figures['brier'].value:.3f} against {figures['brier_anyway'].value:.3f})."
        )
    return Verdict.NO_SIGNAL, (
        "There is no signal in your data: on later rows it is not better than what is known anyway"
        f" (AUC {figures['auc'].value:.3f} against {figures['auc_anyway'].value:.3f})."
    )


def _weights(model: Model, later: Table) -> list[dict[str, Any]]:
    """How much each column moves a score on average, in log-odds, weightiest first."""
    added = model.trees.predict(matrix(model.encodings, later.values), pred_contribs=True)
    mean = model.slope * np.abs(added[:, :-1]).mean(axis=0)
    weighted = zip((one.name for one in model.encodings), map(float, mean), strict=True)
    return [{"column": name, "weight": one} for name, one in sorted(weighted, key=lambda w: -w[1])]
