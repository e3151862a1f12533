"""Deals and leads that came to an end long ago, in numbers worth learning from."""

from __future__ import annotations

import random
from copy import copy
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from django.utils import timezone

from apps.core.identifiers import new_id
from apps.core.loading import insert_rows
from apps.intelligence.rules.columns import Column, Kind
from apps.intelligence.rules.tables import Table
from apps.leads.models import Lead
from apps.opportunities.models import Opportunity, OpportunityChange, Stage
from tests.factories.accounts import AccountFactory
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import make_deal

# How often deals of an industry are won.
WON = {"Software": 0.87, "Retail": 0.13}


def closed_deals(count: int, *, owner: Any, tells: bool = True, seed: int = 2) -> list[Opportunity]:
    """Deals that were won and lost over the last two years, with the history of their worth.

    Where `tells`, their industry says much about how they ended.
    """
    chance = random.Random(seed)
    accounts = {name: AccountFactory(industry=name, owner=owner) for name in WON}
    model = make_deal(account=accounts["Software"], owner=owner, amount=Decimal(1000))
    stages = {one.key: one for one in Stage.objects.filter(pipeline=model.pipeline_id)}
    deals, changes = [], []
    for _ in range(count):
        industry = chance.choice(sorted(WON))
        is_won = chance.random() < (WON[industry] if tells else 0.5)
        deal = _closed(model, accounts[industry], stages, is_won, chance)
        deals.append(deal)
        changes += _history(deal, stages, chance)
    insert_rows(Opportunity, deals)
    insert_rows(OpportunityChange, changes)
    return deals


def _closed(
    model: Opportunity, account: Any, stages: dict[str, Stage], is_won: bool, chance: random.Random
) -> Opportunity:
    deal = copy(model)
    deal._state = copy(model._state)
    stage = stages["closed_won" if is_won else "closed_lost"]
    closed_at = timezone.now() - timedelta(days=chance.uniform(1, 700))
    deal.id, deal.account_id = new_id(), account.pk
    deal.created_at = closed_at - timedelta(days=chance.uniform(10, 90))
    deal.amount = Decimal(chance.randrange(100, 10_000))
    deal.stage_id, deal.stage_key, deal.kind = stage.pk, stage.key, stage.kind
    deal.probability, deal.forecast_category = stage.probability, stage.forecast_category
    deal.stage_entered_at, deal.actual_close_date = closed_at, closed_at.date()
    deal.won_at, deal.lost_at = (closed_at, None) if is_won else (None, closed_at)
    deal.loss_reason = "" if is_won else "Price"
    deal.deal_score, deal.version = (100 if is_won else 0), 3
    return deal


def _history(
    deal: Opportunity, stages: dict[str, Stage], chance: random.Random
) -> list[OpportunityChange]:
    closed_at = deal.won_at or deal.lost_at
    moved_at = deal.created_at + (closed_at - deal.created_at) * chance.random()
    way = (
        ("created", deal.created_at, None, stages["discovery"]),
        ("moved", moved_at, stages["discovery"], stages["proposal"]),
        (deal.kind, closed_at, stages["proposal"], stages[deal.stage_key]),
    )
    return [
        OpportunityChange(
            opportunity_id=deal.pk,
            seq=place,
            kind=kind,
            at=at,
            actor_id=deal.owner_id,
            door="test",
            stage_from=before,
            stage_to=after,
            amount_from=None if before is None else deal.amount,
            amount_to=deal.amount,
            currency=deal.currency,
            owner_from_id=None if before is None else deal.owner_id,
            owner_to_id=deal.owner_id,
            probability_from=None if before is None else before.probability,
            probability_to=after.probability,
            category_from="" if before is None else before.forecast_category,
            category_to=after.forecast_category,
        )
        for place, (kind, at, before, after) in enumerate(way, start=1)
    ]


def ended_leads(count: int, *, tells: bool = True, seed: int = 1) -> None:
    """Leads that were converted or given up; where `tells`, by the country they are in."""
    chance = random.Random(seed)
    for _ in range(count):
        country = chance.choice(("NO", "PE"))
        share = {"NO": 0.85, "PE": 0.15}[country] if tells else 0.5
        is_converted = chance.random() < share
        lead = LeadFactory(country=country)
        Lead.objects.filter(pk=lead.pk).update(
            status="converted" if is_converted else "unqualified",
            converted_opportunity_id=new_id() if is_converted else None,
            created_at=timezone.now() - timedelta(days=chance.uniform(1, 300)),
        )


def table(
    rows: int = 1500, *, signal: float = 2.0, seed: int = 1, in_time: bool = True, **more: Any
) -> Table:
    """A table to learn from: two numbers and a category, of which the first number tells.

    `more` are further columns by name: arrays of numbers or texts.
    """
    chance = np.random.default_rng(seed)
    size = chance.normal(size=rows)
    outcome = chance.random(rows) < 1 / (1 + np.exp(-signal * size))
    values: dict[str, Any] = {
        "size": np.where(chance.random(rows) < 0.1, np.nan, size),
        "noise": chance.normal(size=rows),
        "colour": chance.choice(np.array(["red", "green", "blue", ""], dtype=object), size=rows),
    }
    made = {name: make(outcome, chance) for name, make in more.items()}
    values |= made
    return Table(
        columns=[
            Column(name, name.title(), Kind.CATEGORY if each.dtype == object else Kind.NUMBER)
            for name, each in values.items()
        ],
        values=values,
        outcome=outcome,
        group=np.array([f"row {place}" for place in range(rows)]),
        at=np.arange(rows, dtype=float) if in_time else None,
    )
