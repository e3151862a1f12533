"""Deals: begun, changed, handed over, deleted into the bin and restored."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.accounts.errors import TooLateToRestore
from apps.accounts.rules import can_be_restored
from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.permissions import require
from apps.opportunities.errors import OpportunityKnown, WonOpportunityKept
from apps.opportunities.metrics import counting_failures, opportunities_refused
from apps.opportunities.models import Opportunity
from apps.opportunities.permissions import (
    ASSIGN_OPPORTUNITY,
    DELETE_OPPORTUNITY,
    WRITE_OPPORTUNITY,
)
from apps.opportunities.rules import Kind
from apps.opportunities.services.conversion import convert_lead
from apps.opportunities.services.edits import (
    Change,
    moment_after,
    refuse_stale,
    take_one_in_hand,
)
from apps.opportunities.services.facts import account_within_reach, apply_facts, hand_over
from apps.opportunities.services.history import keep
from apps.opportunities.services.openings import open_deal, owner_of_new
from apps.opportunities.services.past import TURN
from apps.opportunities.services.stages import settle


@counting_failures(opportunities_refused)
@command
def create_opportunity(
    *,
    name: str,
    actor: Actor,
    account_id: UUID | None = None,
    lead_id: UUID | None = None,
    owner_id: UUID | None = None,
    **facts: Any,
) -> Opportunity:
    """Begin a deal of an account within reach; with `lead_id` that lead is converted.

    Args:
        name: of the deal.
        actor: needs `opportunity:write`.
        account_id: the customer; a lead brings its own where it is left out.
        lead_id: of a lead within reach.
        owner_id: whose deal it is to be; without it see `owner_of_new`.
        facts: as `open_deal` takes them (sales-system-integrations, Create Opportunity).

    Raises:
        NotAllowed, InvalidInput, TerritoryInactive; with a lead what `convert_lead` raises.
    """
    if lead_id is not None:
        return convert_lead(
            lead_id=lead_id,
            opportunity_name=name,
            account_id=account_id,
            owner_id=owner_id,
            actor=actor,
            **facts,
        )
    require(actor, WRITE_OPPORTUNITY)
    account = account_within_reach(account_id, actor)
    owner_id = owner_of_new(stated=owner_id, actor=actor, account=account)
    return open_deal(account=account, owner_id=owner_id, name=name, actor=actor, **facts)


@command
def change_opportunity(
    *,
    opportunity_id: UUID,
    actor: Actor,
    version: int | None = None,
    stage: str | None = None,
    notes: str = "",
    **facts: Any,
) -> Opportunity:
    """Change what is known of a deal; a changed stage is a move by the same rule as any other.

    Args:
        opportunity_id: of a deal within reach.
        actor: needs `opportunity:write`, and `opportunity:assign` to change owner or territory.
        version: the one the change is meant for; None changes whatever there is.
        stage: the key of the stage it is to stand in.
        notes: kept in the history.
        facts: as `apply_facts` takes them; `account_id`, `owner_id`, `territory_id`;
            `probability` and `forecast_category`, where None gives them back to the stage.

    Raises:
        NotFound, NotAllowed, StaleVersion with the `current` row, InvalidInput,
        OpportunityIsClosed, StageMoveNotAllowed, StageFactsMissing, TerritoryInactive,
        OpportunityOutOfReach.
    """
    edit = take_one_in_hand(opportunity_id, actor=actor)
    require(actor, WRITE_OPPORTUNITY)
    refuse_stale(edit, version, actor=actor)
    now = moment_after([edit])
    if facts.get("account_id", edit.deal.account_id) != edit.deal.account_id:
        edit.deal.account = account_within_reach(facts["account_id"], actor)
    hand_over(edit, facts, actor)
    apply_facts(edit, facts)
    settle(edit, stage, facts, now)
    edit.notes = notes
    keep([edit], now=now, actor=actor)
    return edit.deal


@command
def reassign_opportunity(
    *,
    opportunity_id: UUID,
    actor: Actor,
    owner_id: UUID | None = None,
    territory_id: UUID | None = None,
    reason: str = "",
) -> Opportunity:
    """Hand a deal to another person, another territory or both; what is left out stays.

    Raises NotFound, NotAllowed, InvalidInput, TerritoryInactive, OpportunityOutOfReach.
    """
    edit = take_one_in_hand(opportunity_id, actor=actor)
    require(actor, ASSIGN_OPPORTUNITY)
    place = {"owner_id": owner_id, "territory_id": territory_id}
    given = {name: value for name, value in place.items() if value is not None}
    hand_over(edit, given, actor, reason=reason)
    keep([edit], now=moment_after([edit]), actor=actor)
    return edit.deal


@command
def delete_opportunity(*, opportunity_id: UUID, actor: Actor) -> Opportunity:
    """Put a deal into the bin, for thirty days. Raises NotFound, NotAllowed, WonOpportunityKept."""
    edit = take_one_in_hand(opportunity_id, actor=actor)
    require(actor, DELETE_OPPORTUNITY)
    if edit.deal.kind == Kind.WON:
        raise WonOpportunityKept
    now = moment_after([edit])
    edit.deal.deleted_at, edit.deal.deleted_by_id = now, actor.id
    edit.kind = Change.DELETED
    edit.also_changed.append("bin")
    keep([edit], now=now, actor=actor)
    return edit.deal


@command
def restore_opportunity(*, opportunity_id: UUID, actor: Actor) -> Opportunity:
    """Take a deal out of the bin.

    Raises NotFound, NotAllowed, TooLateToRestore, OpportunityKnown where another was imported
    meanwhile.
    """
    edit = take_one_in_hand(opportunity_id, actor=actor, from_bin=True)
    require(actor, DELETE_OPPORTUNITY)
    deleted_at = edit.deal.deleted_at
    if deleted_at is not None and not can_be_restored(deleted_at, timezone.now()):
        raise TooLateToRestore
    _refuse_double(edit.deal, actor)
    edit.deal.deleted_at = edit.deal.deleted_by_id = None
    edit.kind = Change.RESTORED
    edit.also_changed.append("bin")
    keep([edit], now=moment_after([edit]), actor=actor)
    return edit.deal


def _refuse_double(deal: Opportunity, actor: Actor) -> None:
    """One deal has an id of another system at a time. Raises OpportunityKnown."""
    if not deal.external_id:
        return
    take_turn(TURN)
    origin = (deal.external_source, deal.external_id)
    if other := Opportunity.objects.from_origins([origin]).first():
        is_visible = actor.reach.includes(owner_id=other.owner_id, territory_id=other.territory_id)
        raise OpportunityKnown.of(other.pk, is_visible=is_visible)
