"""Answers about what people say: the judgements that nothing supersedes."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar
from uuid import UUID

from apps.forecasts.models import Judgement

Kind = TypeVar("Kind", bound=Judgement)
Key = tuple[UUID, str, str]


def in_force(
    kind: type[Kind], *, node_ids: Collection[UUID], periods: Collection[str]
) -> dict[Key, Kind]:
    """What was said last of nodes and periods, by node, period and type."""
    found = kind._default_manager.filter(
        node_id__any=list(node_ids), period__in=set(periods), superseded_by=None
    )
    return {(one.node_id, one.period, one.forecast_type): one for one in found}
