"""Learning from rows whose end is known: trees, their calibration, and the proof on later rows.

The last part of the rows, by time or by hash where there is none, is held out. Trees are grown on
what comes before and calibrated on folds of it that they did not see. They are worth something only
if, on the rows held out, they rank better and err less than what is known anyway, beyond chance.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
import xgboost as xgb

from apps.intelligence.rules.columns import Column, Kind, Verdict
from apps.intelligence.rules.guard import FOLDS, Finding, refusal, suspicion
from apps.intelligence.rules.measures import (
    Array,
    Figure,
    auc,
    brier,
    calibration_error,
    interval,
    reliability,
    stability_index,
)
from apps.intelligence.rules.reasons import Prediction, log_odds, share

HELD_OUT = 0.2
FEWEST_ROWS = 200
FEWEST_OF_A_KIND = 40
TOO_GOOD = 0.95
MOST_LEVELS = 40
MOST_TREES = 800
PATIENCE = 30
# No probability is certain.
LEAST = 1e-4
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
class Table:
    """Rows to learn from.

    `values` are numbers with NaN where there is none, or texts with an empty one. `group` says
    which rows are of the same deal, `at` when that was decided, in seconds; without it rows are
    ordered by the hash of their group. `anyway` is what is thought likely without learning.
    """

    columns: Sequence[Column]
    values: Mapping[str, Array]
    outcome: Array
    group: Array
    at: Array | None = None
    anyway: Array | None = None

    def __len__(self) -> int:
        return len(self.outcome)


@dataclass(frozen=True)
class Encoding:
    """How the values of a column become numbers: the categories that are seen often, in order."""

    name: str
    kind: str
    levels: tuple[str, ...] = ()

    @classmethod
    def of(cls, column: Column, values: Array) -> Encoding:
        """What is needed for the values that are there."""
        if column.kind == Kind.NUMBER:
            return cls(column.name, column.kind)
        levels, counts = np.unique(values[values != ""], return_counts=True)
        often = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
        return cls(column.name, column.kind, tuple(sorted(str(levels[one]) for one in often)))

    def encode(self, values: Array) -> Array:
        """Numbers, NaN where there is none; whatever was never seen shares one code."""
        if self.kind == Kind.NUMBER:
            return values.astype(float)
        codes = {level: float(place) for place, level in enumerate(self.levels)}
        codes[""] = np.nan
        return np.array([codes.get(str(one), len(self.levels)) for one in values], dtype=float)


@dataclass(frozen=True)
class Model:
    """Calibrated trees: what is learned, and all that a later process needs to use it."""

    booster: str = field(repr=False)
    encodings: tuple[Encoding, ...]
    slope: float
    intercept: float

    @classmethod
    def read(cls, text: str) -> Model:
        """The model that a text holds."""
        kept = json.loads(text)
        return cls(
            booster=json.dumps(kept["booster"]),
            encodings=tuple(
                Encoding(one["name"], one["kind"], tuple(one["levels"])) for one in kept["columns"]
            ),
            slope=kept["slope"],
            intercept=kept["intercept"],
        )

    def text(self) -> str:
        """The model as a text that can be read again, byte for byte the same."""
        columns = [
            {"name": one.name, "kind": str(one.kind), "levels": list(one.levels)}
            for one in self.encodings
        ]
        kept = {
            "columns": columns,
            "slope": self.slope,
            "intercept": self.intercept,
            "booster": json.loads(self.booster),
        }
        return json.dumps(kept, sort_keys=True, separators=(",", ":"))

    @cached_property
    def trees(self) -> xgb.Booster:
        """The trees, ready to be asked."""
        return xgb.Booster({"nthread": 1}, model_file=bytearray(self.booster, "utf-8"))

    def probabilities(self, values: Mapping[str, Array]) -> Array:
        """How likely the good outcome of each row is."""
        margin = self.trees.predict(_matrix(self.encodings, values), output_margin=True)
        return _share(self.slope * margin.astype(float) + self.intercept)

    def predictions(self, values: Mapping[str, Array]) -> list[Prediction]:
        """How likely the good outcome of each row is, and exactly what each fact adds."""
        added = self.trees.predict(_matrix(self.encodings, values), pred_contribs=True)
        added = self.slope * added.astype(float)
        names = [one.name for one in self.encodings]
        return [
            _prediction(
                float(row[-1]) + self.intercept, dict(zip(names, map(float, row[:-1]), strict=True))
            )
            for row in added
        ]


def _prediction(base: float, contributions: dict[str, float]) -> Prediction:
    total = base + sum(contributions.values())
    # Beyond this nothing is more certain: every contribution counts that much less.
    limit = -log_odds(LEAST)
    if abs(total) > limit:
        shrunk = limit / abs(total)
        contributions = {name: one * shrunk for name, one in contributions.items()}
        base, total = base * shrunk, total * shrunk
    return Prediction(share(total), base, contributions)


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
    place = _in_order(table)
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

    before, later = _part(table, ~is_held_out), _part(table, is_held_out)
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


def _in_order(table: Table) -> Array:
    """Which place the group of each row has in time, or by hash."""
    names, first, member = np.unique(table.group, return_index=True, return_inverse=True)
    if table.at is None:
        rank = [blake2b(str(one).encode(), digest_size=8).digest() for one in names]
        order = sorted(range(len(names)), key=rank.__getitem__)
    else:
        order = list(np.lexsort((names, table.at[first])))
    place = np.empty(len(names), dtype=int)
    place[order] = np.arange(len(names))
    found: Array = place[member]
    return found


def _folds(place: Array, seed: int) -> Array:
    """The fold of each row; rows of a group share one."""
    chance = np.random.default_rng(seed)
    return chance.permutation(place.max() + 1)[place] % FOLDS


def _part(table: Table, rows: Array) -> Table:
    return Table(
        table.columns,
        {name: values[rows] for name, values in table.values.items()},
        table.outcome[rows],
        table.group[rows],
        None if table.at is None else table.at[rows],
        None if table.anyway is None else table.anyway[rows],
    )


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


def _matrix(
    encodings: Sequence[Encoding], values: Mapping[str, Array], outcome: Array | None = None
) -> xgb.DMatrix:
    return xgb.DMatrix(
        np.column_stack([one.encode(values[one.name]) for one in encodings]),
        label=None if outcome is None else outcome.astype(float),
        feature_names=[one.name for one in encodings],
        feature_types=["q" if one.kind == Kind.NUMBER else "c" for one in encodings],
        enable_categorical=True,
        nthread=1,
    )


def _fitting(
    table: Table, columns: Sequence[Column], fold: Array, seed: int
) -> Generator[str, None, tuple[Model, int]]:
    """Trees grown on all rows, calibrated by what trees of other folds said of each row."""
    encodings = tuple(Encoding.of(one, table.values[one.name]) for one in columns)
    whole = _matrix(encodings, table.values, table.outcome)
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


def _share(odds: Array) -> Array:
    return np.clip(1 / (1 + np.exp(-np.clip(odds, -30, 30))), LEAST, 1 - LEAST)


def _line(margin: Array, outcome: Array) -> tuple[float, float]:
    """Slope and intercept that make log-odds of margins, by Newton's steps (Platt).

    A little is given to flat lines, so that it ends where rows can be told apart completely.
    """
    design = np.column_stack([margin, np.ones(len(margin))])
    line = np.array([1.0, 0.0])
    for _ in range(50):
        expected = _share(design @ line)
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
    return _share(slope * margin + intercept)


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
    added = model.trees.predict(_matrix(model.encodings, later.values), pred_contribs=True)
    mean = model.slope * np.abs(added[:, :-1]).mean(axis=0)
    weighted = zip((one.name for one in model.encodings), map(float, mean), strict=True)
    return [{"column": name, "weight": one} for name, one in sorted(weighted, key=lambda w: -w[1])]


@dataclass(frozen=True)
class Reference:
    """How columns and scores were distributed when they were learned from, in few bins."""

    edges: Mapping[str, list[float]]
    counts: Mapping[str, list[int]]
    encodings: Sequence[Encoding] = field(default=(), compare=False)

    SCORE = "score"

    @classmethod
    def of(cls, model: Model, table: Table) -> Reference:
        """What the rows of a table look like."""
        edges = {cls.SCORE: [one / 10 for one in range(1, 10)]}
        for one in model.encodings:
            if one.kind == Kind.NUMBER:
                known = table.values[one.name][~np.isnan(table.values[one.name].astype(float))]
                tenths = np.quantile(known, np.linspace(0.1, 0.9, 9)) if len(known) else known
                edges[one.name] = [float(edge) for edge in np.unique(tenths)]
        bare = cls(edges, {}, model.encodings)
        return cls(edges, bare.counted(model, table.values), model.encodings)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any], model: Model) -> Reference:
        """What a card keeps."""
        return cls(kept["edges"], kept["counts"], model.encodings)

    def as_json(self) -> dict[str, Any]:
        """As a card keeps it."""
        return {"edges": dict(self.edges), "counts": dict(self.counts)}

    def counted(self, model: Model, values: Mapping[str, Array]) -> dict[str, list[int]]:
        """How many of some rows lie in each bin of each column; what is missing has the first."""
        found = {self.SCORE: _counted(model.probabilities(values), self.edges[self.SCORE])}
        for one in self.encodings:
            encoded = one.encode(values[one.name])
            edges = (
                self.edges[one.name]
                if one.kind == Kind.NUMBER
                else [place + 0.5 for place in range(len(one.levels))]
            )
            found[one.name] = _counted(encoded, edges)
        return found

    def drift(self, model: Model, values: Mapping[str, Array]) -> dict[str, float]:
        """The stability index of each column and of the score, between then and some rows now."""
        now = self.counted(model, values)
        return {
            name: stability_index(np.array(self.counts[name]), np.array(now[name]))
            for name in self.counts
        }


def _counted(values: Array, edges: Sequence[float]) -> list[int]:
    is_absent = np.isnan(values)
    bins = np.where(is_absent, 0, np.searchsorted(np.array(edges), values, side="right") + 1)
    return [int(one) for one in np.bincount(bins.astype(int), minlength=len(edges) + 2)]


def columns_of(values: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> dict[str, Array]:
    """Rows given one by one, as arrays by column."""
    rows = list(values)
    return {
        one.name: np.array(
            [_cell(row.get(one.name), one.kind) for row in rows],
            dtype=float if one.kind == Kind.NUMBER else object,
        )
        for one in columns
    }


def _cell(value: Any, kind: str) -> Any:
    if kind == Kind.CATEGORY:
        return "" if value is None else str(value)
    return np.nan if value is None else float(value)


def table_of(
    columns: Sequence[Column],
    facts: Iterable[Mapping[str, Any]],
    *,
    outcome: Sequence[bool],
    group: Sequence[str],
    at: Sequence[float],
    anyway: Sequence[float],
) -> Table:
    """Rows given one by one, as a table to learn from."""
    return Table(
        columns=columns,
        values=columns_of(facts, columns),
        outcome=np.array(outcome, dtype=bool),
        group=np.array(group),
        at=np.array(at, dtype=float),
        anyway=np.array(anyway, dtype=float),
    )
