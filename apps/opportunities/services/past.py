"""Deals that were worked elsewhere, brought over with what is known of their past.

A deal that is still open stands in its stage since it began. A closed one stood in the first stage
until it was won or lost: more is not known of it. What such a deal lacks for its stage is asked
for when it moves on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from apps.accounts.models import Account
from apps.core.actors import Actor
from apps.core.errors import InvalidInput
from apps.core.exchange_rates import ExchangeRateMissing, rates_on
from apps.core.journal import publish
from apps.core.loading import insert_rows
from apps.core.periods import moments_of, organisation_day
from apps.customer_success.rules import UNKNOWN
from apps.customer_success.selectors import standings_of
from apps.opportunities.models import (
    Opportunity,
    OpportunityAssignment,
    OpportunityChange,
    StageSpan,
)
from apps.opportunities.rules import Kind, Process, StageRule
from apps.opportunities.selectors import process_named
from apps.opportunities.services.announcements import announcements_of
from apps.opportunities.services.edits import Change, Edit
from apps.opportunities.services.facts import PLAIN, apply_facts
from apps.opportunities.services.files import named_alike
from apps.opportunities.services.history import change_of
from apps.opportunities.services.scores import put_rules_score
from apps.opportunities.services.stages import stand_in
from apps.territories.services.history import Move, note_assignments

REASON_NOT_KNOWN = "Not known"
# Of whoever looks whether a deal is there already.
TURN = "opportunity import"
# A day is all that is known: long enough after it began for what began on the same day.
NOON = timedelta(hours=12)


@dataclass
class Past:
    """A deal with its history, to be written."""

    deal: Opportunity
    process: Process
    changes: list[OpportunityChange]
    spans: list[StageSpan]


def stage_called(process: Process, name: str) -> StageRule:
    """The stage that a file means: by its key or name, or by what it means to stand there.

    Raises InvalidInput.
    """
    wanted = named_alike(name)
    for stage in process.stages:
        if wanted and wanted in (named_alike(stage.key), named_alike(stage.name)):
            return stage
    of_kind = [one for one in process.stages if one.kind == wanted != Kind.OPEN]
    return of_kind[0] if len(of_kind) == 1 else process.stage(name)


def past_of(
    facts: Mapping[str, Any], *, account: Account, owner_id: UUID, now: datetime, actor: Actor
) -> Past:
    """A deal as a file tells of it, not yet written.

    Args:
        facts: as `check_file_facts` returns them.
        account: the customer; gives territory, and currency where none is stated.
        owner_id: whose deal it is.
        now: when it is brought over.
        actor: who does so.

    Raises:
        InvalidInput.
    """
    process = process_named(facts.get("pipeline"))
    stage = stage_called(process, facts["stage"]) if "stage" in facts else process.opening(None)
    opened_at, closed_at = _moments(facts, stage, now)
    deal = Opportunity(
        account=account,
        owner_id=owner_id,
        territory_id=account.territory_id,
        pipeline_id=process.pipeline_id,
        currency=account.currency,
        external_source=facts.get("external_source", ""),
        external_id=facts.get("external_id", ""),
        created_at=opened_at,
        updated_at=now,
    )
    begun = Edit(deal, process, kind=Change.CREATED)
    apply_facts(begun, plain_facts(facts, stage))
    if stage.is_open:
        stand_in(begun, stage, facts, opened_at)
        began = change_of(begun, at=opened_at, actor=actor)
        return Past(deal, process, [began], [_span(deal, opened_at)])
    loss_reason, deal.loss_reason = deal.loss_reason, ""
    expected = deal.expected_close_date if "closed_on" in facts else None
    deal.expected_close_date = expected
    stand_in(begun, process.opening(None), {}, opened_at)
    began = change_of(begun, at=opened_at, actor=actor)
    stood_open = _span(deal, opened_at, closed_at)
    closed = Edit.of(deal, process)
    closed.kind = Change.WON if stage.kind == Kind.WON else Change.LOST
    deal.loss_reason = loss_reason
    deal.expected_close_date = expected or organisation_day(closed_at)
    deal.version += 1
    stand_in(closed, stage, {}, closed_at)
    ended = change_of(closed, at=closed_at, actor=actor)
    return Past(deal, process, [began, ended], [stood_open, _span(deal, closed_at)])


def plain_facts(facts: Mapping[str, Any], stage: StageRule) -> dict[str, Any]:
    """What is put on a deal in this stage just as it is stated; only a lost one has a loss."""
    plain = {name: value for name, value in facts.items() if name in PLAIN}
    plain.pop("loss_reason", None)
    if stage.kind == Kind.LOST:
        plain["loss_reason"] = facts.get("loss_reason", REASON_NOT_KNOWN)
    return plain


def _moments(
    facts: Mapping[str, Any], stage: StageRule, now: datetime
) -> tuple[datetime, datetime]:
    """When a deal began, and when it was closed if it was. Raises InvalidInput."""
    today = organisation_day(now)
    closed_on: date = today
    if not stage.is_open:
        stated = facts.get("closed_on", facts.get("expected_close_date"))
        if stated is None:
            raise InvalidInput.field("closed_on", f"Say when it came to {stage.key}.")
        closed_on = stated
        if closed_on > today:
            raise InvalidInput.field("closed_on", "It can't be closed on a day to come.")
    opened_on: date = facts.get("opened_on", closed_on)
    if opened_on > closed_on:
        last = "today" if stage.is_open else f"{closed_on}, when it was closed"
        raise InvalidInput.field("opened_on", f"It began at the latest on {last}.")
    opened_at, _ = moments_of(opened_on, opened_on)
    closed_at, _ = moments_of(closed_on, closed_on)
    return opened_at, min(closed_at + NOON, now)


def _span(deal: Opportunity, since: datetime, until: datetime | None = None) -> StageSpan:
    return StageSpan(
        opportunity_id=deal.pk, stage_id=deal.stage_id, entered_at=since, left_at=until
    )


def without_rate(pasts: Sequence[Past]) -> dict[UUID, ExchangeRateMissing]:
    """Why some won deals could not be credited: nobody said what their currency was worth."""
    won = [one.deal for one in pasts if one.deal.kind == Kind.WON]
    days = {one.pk: (one.currency, one.actual_close_date) for one in won if one.actual_close_date}
    known = rates_on(set(days.values())) if days else {}
    return {pk: ExchangeRateMissing.of(*day) for pk, day in days.items() if day not in known}


def bring_over(pasts: Sequence[Past], *, now: datetime, actor: Actor) -> None:
    """Write deals with their history and tell of them, in the caller's transaction.

    They are told as new, and what was won counts; that it was won is no news any more.
    """
    deals = [one.deal for one in pasts]
    customers = standings_of({one.account_id for one in deals if one.is_open})
    for one in pasts:
        stage = one.process.stage(one.deal.stage_key)
        put_rules_score(one.deal, stage, customers.get(one.deal.account_id, UNKNOWN), now)
    insert_rows(Opportunity, deals)
    insert_rows(OpportunityChange, [change for one in pasts for change in one.changes])
    insert_rows(StageSpan, [span for one in pasts for span in one.spans])
    note_assignments(
        OpportunityAssignment,
        [Move(one.pk, one.owner_id, one.territory_id, since=one.created_at) for one in deals],
        cause=OpportunityAssignment.Cause.IMPORT,
        at=now,
        actor=actor,
        are_new=True,
    )
    publish(*announcements_of([Edit(one.deal, one.process) for one in pasts], now), actor=actor)
