"""What is told of edited deals: their events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.accounts.models import Account
from apps.core.periods import organisation_day
from apps.opportunities.events import (
    CreditedShare,
    OpportunityCreated,
    OpportunityCreditChanged,
    OpportunityLost,
    OpportunityStageChanged,
    OpportunityUpdated,
    OpportunityWon,
    ScheduledPayment,
    SoldLine,
)
from apps.opportunities.models import Opportunity, OpportunityLine, OpportunitySplit
from apps.opportunities.rules import Kind, Split, credited
from apps.opportunities.services.edits import Change, Edit
from apps.territories.events import AssignmentChanged

# What `opportunity.updated` names when it changed; what a stage brings with it comes last.
_FACTS = (
    "name",
    "account_id",
    "owner_id",
    "territory_id",
    "amount",
    "currency",
    "expected_close_date",
    "contract_term",
    "start_date",
    "payment_terms",
    "billing_frequency",
    "payment_schedule",
    "special_requirements",
    "priority",
    "metadata",
)
_FACTS_OF_STAGE = ("probability", "forecast_category", "next_step", "loss_reason", "close_reason")


def announcements_of(edits: Sequence[Edit], now: datetime) -> list[object]:
    """Every event of the edits, deal by deal."""
    won = [one.deal for one in edits if one.kind == Change.WON]
    recredited = [one for one in edits if _credit_changed(one)]
    sold = _sold_lines(won)
    shares = _shares([one.deal for one in recredited])
    account_names = dict(
        Account.objects.with_bin()
        .filter(pk__any=[one.account_id for one in won])
        .values_list("pk", "name")
        if won
        else ()
    )
    told: list[object] = []
    for one in edits:
        told += _events_of(one, now)
        if one.kind == Change.WON:
            name = account_names[one.deal.account_id]
            told.append(_won(one.deal, name, sold[one.deal.pk], shares[one.deal.pk]))
    told += [_credit(one.deal, shares.get(one.deal.pk, ())) for one in recredited]
    return told


_CREDITED = ("kind", "amount", "currency", "actual_close_date", "owner_id", "territory_id")


def _credit_changed(edit: Edit) -> bool:
    """Whether a deal counts for something else than before."""
    counted = Kind.WON in (edit.before.get("kind"), edit.deal.kind)
    return counted and (edit.differs(*_CREDITED) or "splits" in edit.also_changed)


def _shares(deals: Sequence[Opportunity]) -> dict[UUID, tuple[CreditedShare, ...]]:
    """Who is credited with won deals, by deal."""
    deals = [one for one in deals if one.kind == Kind.WON]
    if not deals:
        return {}
    splits: dict[UUID, list[Split]] = {one.pk: [] for one in deals}
    rows = OpportunitySplit.objects.filter(opportunity_id__any=list(splits))
    for row in rows.order_by("opportunity_id", "kind", "id"):
        splits[row.opportunity_id].append(Split(row.user_id, row.kind, row.percentage))
    return {
        one.pk: tuple(
            CreditedShare(user_id=share.user_id, kind=share.kind, percentage=share.percentage)
            for share in credited(splits[one.pk], one.owner_id)
        )
        for one in deals
    }


def credits_told(deals: Sequence[Opportunity]) -> list[OpportunityCreditChanged]:
    """What is told of deals whose credit changes: what each counts for as it is now."""
    shares = _shares(deals)
    return [_credit(one, shares.get(one.pk, ())) for one in deals]


def _credit(deal: Opportunity, shares: tuple[CreditedShare, ...]) -> OpportunityCreditChanged:
    return OpportunityCreditChanged(
        opportunity_id=deal.pk,
        version=deal.version,
        amount=deal.amount,
        currency=deal.currency,
        closed_on=deal.actual_close_date if deal.kind == Kind.WON else None,
        owner_id=deal.owner_id,
        territory_id=deal.territory_id,
        splits=shares,
    )


def _events_of(edit: Edit, now: datetime) -> list[object]:
    if edit.is_new:
        return [_created(edit)]
    told: list[object] = []
    has_moved = edit.differs("stage_id")
    facts = _FACTS if has_moved else _FACTS + _FACTS_OF_STAGE
    if changed := (*edit.differing(facts), *edit.also_changed):
        told.append(_updated(edit, changed))
    if edit.differs("owner_id", "territory_id"):
        told.append(_assignment_changed(edit, now))
    if has_moved:
        told.append(_stage_changed(edit))
    if edit.kind == Change.LOST:
        told.append(_lost(edit))
    return told


def _worth(deal: Opportunity) -> dict[str, Any]:
    """What most events say of a deal."""
    return {
        "opportunity_id": deal.pk,
        "probability": deal.probability,
        "amount": deal.amount,
        "currency": deal.currency,
        "expected_close_date": deal.expected_close_date,
        "forecast_category": deal.forecast_category,
        "owner_id": deal.owner_id,
        "territory_id": deal.territory_id,
    }


def _created(edit: Edit) -> OpportunityCreated:
    deal = edit.deal
    return OpportunityCreated(
        **_worth(deal),
        account_id=deal.account_id,
        lead_id=deal.lead_id,
        pipeline=edit.process.key,
        stage=deal.stage_key,
        kind=deal.kind,
        closed_on=deal.actual_close_date,
    )


def _stage_changed(edit: Edit) -> OpportunityStageChanged:
    return OpportunityStageChanged(
        **_worth(edit.deal),
        pipeline=edit.process.key,
        from_stage=edit.before["stage_key"],
        from_kind=edit.before["kind"],
        to_stage=edit.deal.stage_key,
        to_kind=edit.deal.kind,
    )


def _updated(edit: Edit, changed: tuple[str, ...]) -> OpportunityUpdated:
    return OpportunityUpdated(
        **_worth(edit.deal),
        changed=changed,
        stage=edit.deal.stage_key,
        kind=edit.deal.kind,
        is_in_bin=edit.deal.is_in_bin,
        previous_expected_close_date=edit.before["expected_close_date"],
        previous_owner_id=edit.before["owner_id"],
        previous_territory_id=edit.before["territory_id"],
    )


def _assignment_changed(edit: Edit, now: datetime) -> AssignmentChanged:
    return AssignmentChanged(
        record_id=edit.deal.pk,
        record_type="opportunity",
        territory_id=edit.deal.territory_id,
        previous_territory_id=edit.before["territory_id"],
        owner_id=edit.deal.owner_id,
        previous_owner_id=edit.before["owner_id"],
        reason=edit.reason,
        cause=edit.cause,
        effective_on=organisation_day(now),
    )


def _lost(edit: Edit) -> OpportunityLost:
    deal = edit.deal
    return OpportunityLost(
        opportunity_id=deal.pk,
        account_id=deal.account_id,
        last_open_stage=edit.before["stage_key"],
        loss_reason=deal.loss_reason,
        amount=deal.amount,
        currency=deal.currency,
        closed_on=_closed_on(deal),
        owner_id=deal.owner_id,
        territory_id=deal.territory_id,
    )


def _won(
    deal: Opportunity,
    account_name: str,
    lines: tuple[SoldLine, ...],
    shares: tuple[CreditedShare, ...],
) -> OpportunityWon:
    return OpportunityWon(
        opportunity_id=deal.pk,
        account_id=deal.account_id,
        account_name=account_name,
        lead_id=deal.lead_id,
        amount=deal.amount,
        currency=deal.currency,
        closed_on=_closed_on(deal),
        close_reason=deal.close_reason,
        lines=lines,
        contract_term=deal.contract_term,
        start_date=deal.start_date,
        payment_terms=deal.payment_terms,
        billing_frequency=deal.billing_frequency,
        payment_schedule=tuple(
            ScheduledPayment(
                due_on=date.fromisoformat(one["due_on"]), amount=Decimal(one["amount"])
            )
            for one in deal.payment_schedule
        ),
        special_requirements=deal.special_requirements,
        priority=deal.priority,
        owner_id=deal.owner_id,
        territory_id=deal.territory_id,
        splits=shares,
    )


def _closed_on(deal: Opportunity) -> date:
    assert deal.actual_close_date is not None
    return deal.actual_close_date


def _sold_lines(deals: Sequence[Opportunity]) -> dict[UUID, tuple[SoldLine, ...]]:
    """The lines of won deals, by deal."""
    found: dict[UUID, tuple[SoldLine, ...]] = {one.pk: () for one in deals}
    if not deals:
        return found
    rows = (
        OpportunityLine.objects.filter(opportunity_id__any=list(found))
        .select_related("product")
        .order_by("opportunity_id", "position")
    )
    for row in rows:
        line = SoldLine(
            product_id=row.product_id,
            product_code=row.product.code,
            product_name=row.product.name,
            quantity=row.quantity,
            unit_price=row.unit_price,
            discount=row.discount,
            amount=row.amount,
            configuration=row.configuration,
        )
        found[row.opportunity_id] = (*found[row.opportunity_id], line)
    return found
