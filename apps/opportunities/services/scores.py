"""How deals are scored: by the rules in every change, by a model from above where there is one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.loading import read_rows, update_rows
from apps.core.periods import organisation_day
from apps.core.permissions import require
from apps.customer_success.rules import Standing
from apps.customer_success.selectors import standings_of
from apps.opportunities.models import Opportunity
from apps.opportunities.permissions import SCORE_OPPORTUNITY
from apps.opportunities.rules import RULES_VERSION, Health, Kind, StageRule, deal_score
from apps.opportunities.selectors import processes

_COLUMNS = ("deal_score", "deal_score_reasons", "deal_score_source", "deal_score_version")


@dataclass(frozen=True, kw_only=True)
class DealScoreGiven:
    """What a model says of a deal: 0 to 100, with reasons as `key`, `points` and `text`."""

    opportunity_id: UUID
    value: int
    version: str
    reasons: Sequence[Mapping[str, Any]]


def put_rules_score(deal: Opportunity, stage: StageRule, customer: Standing, now: datetime) -> None:
    """Score a deal in hand by the rules."""
    score = deal_score(health_of(deal, stage, customer, now))
    deal.deal_score = score.value
    deal.deal_score_reasons = [one.as_json() for one in score.reasons]
    deal.deal_score_source = Opportunity.ScoreSource.RULES
    deal.deal_score_version = RULES_VERSION


def health_of(deal: Opportunity, stage: StageRule, customer: Standing, now: datetime) -> Health:
    """What the rules know about a deal that stands in a stage, and about its customer."""
    closes_on = deal.expected_close_date
    return Health(
        stage=stage,
        days_in_stage=(now - deal.stage_entered_at).days,
        amount=deal.amount,
        days_to_close=(closes_on - organisation_day(now)).days if closes_on else None,
        push_count=deal.push_count,
        has_next_step=bool(deal.next_step),
        has_lines=deal.lines_total is not None,
        knows_decision_criteria=bool(deal.metadata.get("decision_criteria")),
        customer=customer,
    )


def record_deal_scores(*, scores: Sequence[DealScoreGiven], actor: Actor) -> int:
    """Keep what a model says of open deals; their version and moment of change stay.

    Deals that were closed or deleted meanwhile are left alone. Returns how many got another score.
    In a transaction. Raises NotAllowed.
    """
    require(actor, SCORE_OPPORTUNITY)
    given = {one.opportunity_id: one for one in scores}
    deals = _open_deals(given)
    before = [_score_of(one) for one in deals]
    for deal in deals:
        score = given[deal.pk]
        deal.deal_score = score.value
        deal.deal_score_reasons = [dict(one) for one in score.reasons]
        deal.deal_score_source = Opportunity.ScoreSource.MODEL
        deal.deal_score_version = score.version
    return _write_differing(deals, before)


def score_deals_by_rules(*, ids: Sequence[UUID], actor: Actor) -> int:
    """Give open deals that a model scored back to the rules; how many got another score.

    In a transaction. Raises NotAllowed.
    """
    require(actor, SCORE_OPPORTUNITY)
    by_model = Opportunity.objects.filter(deal_score_source=Opportunity.ScoreSource.MODEL)
    return _score_by_rules(_open_deals(list(by_model.with_ids(ids).values_list("pk", flat=True))))


@command
def score_deals_of_customers(*, account_ids: Collection[UUID], actor: Actor) -> int:
    """Score the open deals of some accounts anew, since customers fare otherwise; how many got
    another score.

    Those that a model scored keep its score. Doing it twice is harmless. Raises NotAllowed.
    """
    require(actor, SCORE_OPPORTUNITY)
    ids = Opportunity.objects.filter(account_id__any=list(account_ids), kind=Kind.OPEN)
    deals = _open_deals(list(ids.values_list("pk", flat=True)))
    return _score_by_rules(
        [one for one in deals if one.deal_score_source == Opportunity.ScoreSource.RULES]
    )


def _score_by_rules(deals: Sequence[Opportunity]) -> int:
    compiled = processes({one.pipeline_id for one in deals})
    before = [_score_of(one) for one in deals]
    customers = standings_of({one.account_id for one in deals})
    now = timezone.now()
    for deal in deals:
        stage = compiled[deal.pipeline_id].stage(deal.stage_key)
        put_rules_score(deal, stage, customers[deal.account_id], now)
    return _write_differing(deals, before)


def _open_deals(ids: Sequence[UUID] | Mapping[UUID, Any]) -> list[Opportunity]:
    locked = read_rows(Opportunity, ids, lock=True)
    return [one for one in locked if one.is_open and not one.is_in_bin]


def _score_of(deal: Opportunity) -> tuple[Any, ...]:
    return tuple(getattr(deal, name) for name in _COLUMNS)


def _write_differing(deals: Sequence[Opportunity], before: Sequence[tuple[Any, ...]]) -> int:
    differing = [
        deal for deal, known in zip(deals, before, strict=True) if _score_of(deal) != known
    ]
    update_rows(differing, _COLUMNS)
    return len(differing)
