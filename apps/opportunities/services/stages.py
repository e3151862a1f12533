"""Where deals stand: moved from stage to stage, won, lost and reopened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.core.actors import Actor
from apps.core.bulk import RowResult
from apps.core.commands import command
from apps.core.errors import InvalidInput, NotFound, Refusal
from apps.core.periods import organisation_day
from apps.core.permissions import require
from apps.opportunities.errors import OpportunityIsOpen
from apps.opportunities.models import Opportunity
from apps.opportunities.permissions import REOPEN_OPPORTUNITY, WRITE_OPPORTUNITY
from apps.opportunities.rules import (
    GATE_FACTS,
    Graded,
    Kind,
    StageRule,
    category_in,
    check_gate,
    probability_in,
)
from apps.opportunities.services.edits import (
    Change,
    Edit,
    moment_after,
    refuse_stale,
    take_in_hand,
    take_one_in_hand,
)
from apps.opportunities.services.history import keep


@command
def move_opportunity(
    *,
    opportunity_id: UUID,
    stage: str,
    actor: Actor,
    version: int | None = None,
    notes: str = "",
    **stated: Any,
) -> Opportunity:
    """Take a deal to another stage; closing stages win or lose it.

    A deal that already stands there stays, with what is stated anew.

    Args:
        opportunity_id: of a deal within reach.
        stage: the key of a stage of its pipeline.
        actor: needs `opportunity:write`.
        version: the one the move is meant for; None moves whatever there is.
        notes: kept in the history.
        stated: `probability`, `next_step`, `loss_reason`, `close_reason`
            (sales-system-integrations, Update Opportunity Stage).

    Raises:
        NotFound, NotAllowed, StaleVersion, InvalidInput, StageMoveNotAllowed, StageFactsMissing.
    """
    edit = take_one_in_hand(opportunity_id, actor=actor)
    require(actor, WRITE_OPPORTUNITY)
    refuse_stale(edit, version, actor=actor)
    now = moment_after([edit])
    _move(edit, stage, stated, notes, now)
    keep([edit], now=now, actor=actor)
    return edit.deal


@command
def move_opportunities(
    *, ids: Sequence[UUID], stage: str, actor: Actor, notes: str = "", **stated: Any
) -> list[RowResult]:
    """Take deals to another stage, each by the same rule as a single one.

    Raises NotAllowed; what else is refused is told per deal, and leaves the others alone.
    """
    require(actor, WRITE_OPPORTUNITY)
    edits = take_in_hand(ids, actor=actor)
    now = moment_after(edits.values())
    results, moved = [], []
    for opportunity_id in ids:
        try:
            if opportunity_id not in edits:
                raise NotFound
            _move(edits[opportunity_id], stage, stated, notes, now)
        except Refusal as refusal:
            results.append(RowResult(opportunity_id, refusal))
        else:
            moved.append(edits[opportunity_id])
            results.append(RowResult(opportunity_id))
    keep(moved, now=now, actor=actor)
    return results


@command
def reopen_opportunity(*, opportunity_id: UUID, actor: Actor, notes: str = "") -> Opportunity:
    """Take up a won or lost deal again, in the last open stage it stood in.

    Raises NotFound, NotAllowed, OpportunityIsOpen.
    """
    edit = take_one_in_hand(opportunity_id, actor=actor)
    require(actor, REOPEN_OPPORTUNITY)
    deal = edit.deal
    if deal.is_open:
        raise OpportunityIsOpen
    now = moment_after([edit])
    stage = next(one for one in edit.process.stages if one.id == deal.last_open_stage_id)
    deal.loss_reason = deal.close_reason = ""
    stand_in(edit, stage, {}, now)
    edit.kind, edit.notes = Change.REOPENED, notes
    keep([edit], now=now, actor=actor)
    return deal


def _move(edit: Edit, stage: str, stated: Mapping[str, Any], notes: str, now: datetime) -> None:
    for name in ("next_step", "loss_reason", "close_reason"):
        if name in stated:
            setattr(edit.deal, name, stated[name])
    edit.notes = notes
    settle(edit, stage, stated, now)


def settle(edit: Edit, stage: str | None, stated: Mapping[str, Any], now: datetime) -> None:
    """Let a deal in hand, its other facts set, go to a stage or stay in its own.

    Args:
        edit: the deal.
        stage: the key asked for; None leaves it where it stands.
        stated: `probability` and `forecast_category`, where given; None gives them back to the
            stage.
        now: when it happens.

    Raises:
        InvalidInput, StageMoveNotAllowed, StageFactsMissing.
    """
    current = edit.stage
    wanted = current if stage is None else edit.process.stage(stage)
    if wanted != current:
        edit.process.check_move(current, wanted)
        edit.kind = _KIND_OF_MOVE[wanted.kind]
    if wanted != current or wanted.kind == Kind.LOST:
        check_gate(wanted, _gate_facts(edit.deal))
    stand_in(edit, wanted, stated, now)
    if edit.deal.loss_reason and wanted.kind != Kind.LOST:
        raise InvalidInput.field("loss_reason", "Only a lost deal has one.")


_KIND_OF_MOVE: dict[str, str] = {
    Kind.OPEN: Change.MOVED,
    Kind.WON: Change.WON,
    Kind.LOST: Change.LOST,
}


def _gate_facts(deal: Opportunity) -> dict[str, Any]:
    facts = {name: getattr(deal, name) for name in GATE_FACTS if name != "products"}
    return {**facts, "products": deal.lines_total is not None}


def stand_in(edit: Edit, stage: StageRule, stated: Mapping[str, Any], now: datetime) -> None:
    """Set all that a stage decides on a deal in hand, new or not. Raises InvalidInput."""
    deal = edit.deal
    probability = probability_in(
        stage, stated=stated.get("probability"), before=_before(edit, stated, "probability")
    )
    category = category_in(
        stage,
        stated=stated.get("forecast_category"),
        before=_before(edit, stated, "forecast_category"),
    )
    deal.probability, deal.probability_source = probability.value, probability.origin
    deal.forecast_category, deal.forecast_category_source = category.value, category.origin
    if stage.id == deal.stage_id:
        return
    deal.stage_id, deal.stage_key, deal.kind = stage.id, stage.key, stage.kind
    deal.stage_entered_at = now
    if stage.is_open:
        deal.last_open_stage_id = stage.id
    deal.actual_close_date = None if stage.is_open else organisation_day(now)
    deal.won_at = now if stage.kind == Kind.WON else None
    deal.lost_at = now if stage.kind == Kind.LOST else None


def _before(edit: Edit, stated: Mapping[str, Any], name: str) -> Graded | None:
    """What a value was, unless it is new or given back to the stage."""
    if edit.is_new or name in stated:
        return None
    return Graded(getattr(edit.deal, name), getattr(edit.deal, f"{name}_source"))
