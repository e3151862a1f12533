"""The engine that learns and asks trees, loaded by the process that first needs it.

NumPy, SciPy and XGBoost take a hundred megabytes. Workers and handlers need them, the web does not.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from importlib import import_module
from typing import Any
from uuid import UUID

from apps.intelligence.models import ScoreModel
from apps.intelligence.rules.columns import Subject


def engine(noun: str) -> Any:
    """The module of rules about `learning`, `tables`, `trees` or the `reference`."""
    return import_module(f"apps.intelligence.rules.{noun}")


def published(subject: str) -> ScoreModel | None:
    """The published model of a subject, without its trees."""
    found: ScoreModel | None = (
        ScoreModel.objects.filter(subject=subject, state=ScoreModel.State.PUBLISHED)
        .defer("trees", "card")
        .first()
    )
    return found


@lru_cache(maxsize=2 * len(Subject))
def trees_of(model_id: UUID) -> Any:
    """A model, ready to be asked; it never changes once it was learned."""
    return engine("trees").Model.read(
        ScoreModel.objects.values_list("trees", flat=True).get(pk=model_id)
    )


def digest_of(text: str) -> str:
    """What a model's text is recognised by."""
    return sha256(text.encode()).hexdigest()
