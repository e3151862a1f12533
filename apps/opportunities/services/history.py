"""Keeping edited deals: their rows, change rows, stage spans and assignment periods.

The one writer, for one deal or many, in the same few statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from apps.core.actors import Actor
from apps.core.database import send_along
from apps.core.journal import publish
from apps.core.loading import insert_rows, update_rows
from apps.customer_success.rules import UNKNOWN
from apps.customer_success.selectors import standings_of
from apps.opportunities.models import (
    Opportunity,
    OpportunityAssignment,
    OpportunityChange,
    StageSpan,
)
from apps.opportunities.rules import is_postponed
from apps.opportunities.services.announcements import announcements_of
from apps.opportunities.services.edits import COLUMNS, Change, Edit
from apps.opportunities.services.scores import put_rules_score
from apps.territories.services.history import Move, note_assignments

_TRACKED = (
    "stage_id",
    "amount",
    "expected_close_date",
    "owner_id",
    "probability",
    "forecast_category",
)
_ALWAYS_NOTED = (Change.REASSIGNED, Change.DELETED, Change.RESTORED)


def keep(edits: Sequence[Edit], *, now: datetime, actor: Actor) -> None:
    """Write edited deals with their history and tell of them, in the caller's transaction.

    Edits without any change are left alone: no version, no history, no event. New deals are kept
    apart from others.
    """
    edits = [one for one in edits if one.has_changed]
    if not edits:
        return
    for one in edits:
        _finish(one, now)
    _score(edits, now)
    _write_deals(edits)
    _write_changes(edits, now, actor)
    _write_spans(edits, now)
    _write_assignments(edits, now, actor)
    publish(*announcements_of(edits, now), actor=actor)


def _finish(edit: Edit, now: datetime) -> None:
    """What follows from every change: version and postponements."""
    deal = edit.deal
    deal.updated_at = now
    if edit.is_new:
        deal.created_at = now
    else:
        deal.version += 1
        if (
            deal.is_open
            and not edit.is_taking_back
            and is_postponed(edit.before["expected_close_date"], deal.expected_close_date)
        ):
            deal.push_count += 1


def _score(edits: Sequence[Edit], now: datetime) -> None:
    """Score deals by the rules. What a model says of one holds until it says something else, or
    the deal is closed.
    """
    model = Opportunity.ScoreSource.MODEL
    scored = [one for one in edits if one.deal.deal_score_source != model or not one.deal.is_open]
    customers = standings_of({one.deal.account_id for one in scored if one.deal.is_open})
    for one in scored:
        put_rules_score(one.deal, one.stage, customers.get(one.deal.account_id, UNKNOWN), now)


def _write_deals(edits: Sequence[Edit]) -> None:
    """New rows, or one statement that sets what differs on any of the rows."""
    deals = [one.deal for one in edits]
    if edits[0].is_new:
        insert_rows(Opportunity, deals)
    else:
        update_rows(deals, sorted({name for one in edits for name in one.differing(COLUMNS)}))


def _write_changes(edits: Sequence[Edit], now: datetime, actor: Actor) -> None:
    changes = [
        change_of(one, at=now, actor=actor)
        for one in edits
        if one.notes or one.kind in _ALWAYS_NOTED or one.differs(*_TRACKED)
    ]
    insert_rows(OpportunityChange, changes)


def change_of(edit: Edit, *, at: datetime, actor: Actor) -> OpportunityChange:
    """The change row of an edit, which is to be written with it."""
    deal, before = edit.deal, edit.before
    return OpportunityChange(
        opportunity_id=deal.pk,
        seq=deal.version,
        kind=edit.kind,
        at=at,
        actor_id=actor.id,
        door=actor.door,
        correlation_id=actor.request_id,
        stage_from_id=before.get("stage_id"),
        stage_to_id=deal.stage_id,
        amount_from=before.get("amount"),
        amount_to=deal.amount,
        currency=deal.currency,
        close_from=before.get("expected_close_date"),
        close_to=deal.expected_close_date,
        owner_from_id=before.get("owner_id"),
        owner_to_id=deal.owner_id,
        probability_from=before.get("probability"),
        probability_to=deal.probability,
        category_from=before.get("forecast_category", ""),
        category_to=deal.forecast_category,
        notes=edit.notes,
    )


_LEAVE_STAGE = """
UPDATE opportunities_stagespan SET left_at = %s WHERE opportunity_id = ANY(%s) AND left_at IS NULL
"""


def _write_spans(edits: Sequence[Edit], now: datetime) -> None:
    moved = [one for one in edits if one.differs("stage_id")]
    if not moved:
        return
    if not moved[0].is_new:
        send_along(_LEAVE_STAGE, [now, [one.deal.pk for one in moved]])
    insert_rows(
        StageSpan,
        [
            StageSpan(opportunity_id=one.deal.pk, stage_id=one.deal.stage_id, entered_at=now)
            for one in moved
        ],
    )


def _write_assignments(edits: Sequence[Edit], now: datetime, actor: Actor) -> None:
    moved = [one for one in edits if one.differs("owner_id", "territory_id")]
    if not moved:
        return
    note_assignments(
        OpportunityAssignment,
        [Move(one.deal.pk, one.deal.owner_id, one.deal.territory_id, one.reason) for one in moved],
        cause=moved[0].cause,
        at=now,
        actor=actor,
        are_new=moved[0].is_new,
    )
