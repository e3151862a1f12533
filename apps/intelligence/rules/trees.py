"""Calibrated trees: what was learned, as a text that any later process can use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import xgboost as xgb

from apps.intelligence.rules.columns import Column, Kind
from apps.intelligence.rules.measures import Array
from apps.intelligence.rules.reasons import Prediction, log_odds, share

MOST_LEVELS = 40
# No probability is certain.
LEAST = 1e-4


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
        margin = self.trees.predict(matrix(self.encodings, values), output_margin=True)
        return shares(self.slope * margin.astype(float) + self.intercept)

    def predictions(self, values: Mapping[str, Array]) -> list[Prediction]:
        """How likely the good outcome of each row is, and exactly what each fact adds."""
        added = self.trees.predict(matrix(self.encodings, values), pred_contribs=True)
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


def matrix(
    encodings: Sequence[Encoding], values: Mapping[str, Array], outcome: Array | None = None
) -> xgb.DMatrix:
    """Encoded rows, as the library takes them."""
    return xgb.DMatrix(
        np.column_stack([one.encode(values[one.name]) for one in encodings]),
        label=None if outcome is None else outcome.astype(float),
        feature_names=[one.name for one in encodings],
        feature_types=["q" if one.kind == Kind.NUMBER else "c" for one in encodings],
        enable_categorical=True,
        nthread=1,
    )


def shares(odds: Array) -> Array:
    """Probabilities of log-odds, none of them certain."""
    return np.clip(1 / (1 + np.exp(-np.clip(odds, -30, 30))), LEAST, 1 - LEAST)
