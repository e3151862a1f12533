"""Pipelines: ways of selling, as data."""

from __future__ import annotations

from typing import Any

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.opportunities.models import Pipeline, Stage

# Figures and moves are the source's own (sales-system-integrations, Get Opportunity Pipeline).
_DEFAULT_STAGES: tuple[dict[str, Any], ...] = (
    {
        "key": "discovery",
        "name": "Discovery",
        "probability": 20,
        "forecast_category": "pipeline",
        "expected_days": 14,
        "forward": ["qualification", "proposal"],
    },
    {
        "key": "qualification",
        "name": "Qualification",
        "probability": 40,
        "forecast_category": "pipeline",
        "expected_days": 21,
        "forward": ["proposal", "negotiation"],
    },
    {
        "key": "proposal",
        "name": "Proposal",
        "probability": 50,
        "forecast_category": "best_case",
        "expected_days": 21,
        "forward": ["negotiation"],
    },
    {
        "key": "negotiation",
        "name": "Negotiation",
        "probability": 90,
        "forecast_category": "commit",
        "expected_days": 14,
        "forward": ["closed_won"],
    },
    {
        "key": "closed_won",
        "name": "Closed won",
        "kind": "won",
        "probability": 100,
        "forecast_category": "closed",
    },
    {
        "key": "closed_lost",
        "name": "Closed lost",
        "kind": "lost",
        "probability": 0,
        "forecast_category": "omitted",
        "required_fields": ["loss_reason"],
    },
)


@command
def seed_default_pipeline(*, actor: Actor) -> Pipeline:
    """Make the default pipeline of an empty system; one that is there is left as it is."""
    take_turn("default pipeline")
    known = Pipeline.objects.filter(is_default=True).first()
    if known is not None:
        return known
    pipeline = Pipeline.objects.create(key="default", name="Sales", is_default=True)
    Stage.objects.bulk_create(
        Stage(pipeline=pipeline, position=position, **facts)
        for position, facts in enumerate(_DEFAULT_STAGES, start=1)
    )
    return pipeline
