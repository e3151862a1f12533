"""What the rows that a model was learned from looked like, to tell when others come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from apps.intelligence.rules.columns import Kind
from apps.intelligence.rules.measures import Array, stability_index
from apps.intelligence.rules.tables import Table
from apps.intelligence.rules.trees import Encoding, Model


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
