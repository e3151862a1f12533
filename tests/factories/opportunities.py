"""Pipelines and deals. Deals are made by the services, so that their history is whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.core.actors import system_actor
from apps.core.commands import acting
from apps.opportunities.models import Opportunity, Pipeline
from apps.opportunities.services.openings import open_deal
from apps.opportunities.services.pipelines import seed_default_pipeline
from apps.opportunities.services.stages import move_opportunity
from tests.factories.accounts import AccountFactory

WAY_TO: dict[str, tuple[str, ...]] = {
    "closed_won": ("negotiation", "closed_won"),
    "closed_lost": ("closed_lost",),
}


def in_days(count: int) -> str:
    """The day so many days from today."""
    return (timezone.localdate() + timedelta(days=count)).isoformat()


def default_pipeline() -> Pipeline:
    """The pipeline every system starts with."""
    return seed_default_pipeline(actor=system_actor(door="test"))


def make_deal(**facts: Any) -> Opportunity:
    """A deal of an account, in discovery unless a stage is given; its account's owner owns it."""
    default_pipeline()
    account = facts.pop("account", None) or AccountFactory()
    owner = facts.pop("owner", None) or account.owner
    stage = facts.pop("stage", "discovery")
    reason = {"loss_reason": "Too expensive"} if stage == "closed_lost" else {}
    actor = system_actor(door="test")
    with acting(actor):
        deal = open_deal(
            account=account,
            owner_id=owner.pk,
            name=facts.pop("name", f"{account.name} deal"),
            stage="proposal" if stage in WAY_TO else stage,
            actor=actor,
            **facts,
        )
    for key in WAY_TO.get(stage, ()):
        deal = move_opportunity(
            opportunity_id=deal.pk,
            stage=key,
            actor=actor,
            **(reason if key == "closed_lost" else {}),
        )
    return deal
