"""Giving leads to people and territories."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.utils import timezone

from apps.core.actors import Actor
from apps.core.bulk import RowResult
from apps.core.commands import command
from apps.core.errors import InvalidInput
from apps.core.periods import organisation_today
from apps.core.permissions import require
from apps.leads.errors import LeadAlreadyConverted
from apps.leads.events import LeadAssigned
from apps.leads.models import Lead, LeadAssignment
from apps.leads.selectors import open_lead_counts
from apps.leads.services.capture import subject_of
from apps.leads.services.lifecycle import change_each, change_locked, lock_leads
from apps.territories.errors import NobodyToAssign
from apps.territories.events import AssignmentChanged
from apps.territories.models import AssignmentPeriod
from apps.territories.permissions import ASSIGN_TERRITORY
from apps.territories.rules import reason_for
from apps.territories.selectors import check_active_territory, current_atlas
from apps.territories.services.assignment import hand_out
from apps.territories.services.history import Move, note_assignments
from apps.users.models import User

Cause = AssignmentPeriod.Cause


@command
def assign_lead(
    *,
    lead_id: UUID,
    territory_id: UUID | None = None,
    owner_id: UUID | None = None,
    reason: str = "",
    actor: Actor,
) -> Lead:
    """Give one lead to a territory, a person, or both. Raises as `assign_leads`, and NotFound."""
    (result,), locked = _assign_all([lead_id], territory_id, owner_id, reason, actor)
    if result.refusal:
        raise result.refusal
    return locked[lead_id]


@command
def assign_leads(
    *,
    ids: Sequence[UUID],
    territory_id: UUID | str | None = None,
    owner_id: UUID | str | None = None,
    reason: str = "",
    actor: Actor,
) -> list[RowResult]:
    """Give leads to a territory, which chooses a person by its own rule, or to a person.

    Args:
        ids: the leads.
        territory_id: where they go; without it they stay where they are.
        owner_id: who gets them; without it the territory's rule decides.
        reason: kept in the history (sales-system-integrations, Assign Lead to Territory).
        actor: needs `territory:assign`.

    Raises:
        NotAllowed, InvalidInput, TerritoryInactive, NobodyToAssign.
    """
    results, _ = _assign_all(ids, territory_id, owner_id, reason, actor)
    return results


def _assign_all(
    ids: Sequence[UUID],
    territory_id: UUID | str | None,
    owner_id: UUID | str | None,
    reason: str,
    actor: Actor,
) -> tuple[list[RowResult], dict[UUID, Lead]]:
    """What became of each lead, and the leads that were in hand."""
    require(actor, ASSIGN_TERRITORY)
    if territory_id is None and owner_id is None:
        raise InvalidInput("Give a territory, a person or both.", reason="nowhere_to_assign")
    territory = UUID(str(territory_id)) if territory_id else None
    if territory:
        check_active_territory(territory, actor)
    owner = _person(UUID(str(owner_id)), actor) if owner_id else None
    # Leads first, then the territory's turns: the order in which capturing and routing lock.
    locked = lock_leads(ids, actor=actor)
    owners = _owners(list(locked), territory, owner)
    moves: list[Move] = []

    def change(lead: Lead) -> Sequence[object]:
        new_owner = owners[lead.pk]
        new_territory = territory or lead.territory_id
        return _assign(lead, new_owner, new_territory, reason, Cause.MANUAL, moves)

    results = change_locked(locked, ids=ids, change=change, actor=actor)
    note_assignments(LeadAssignment, moves, cause=Cause.MANUAL, at=timezone.now(), actor=actor)
    return results, locked


@command
def route_leads(*, ids: Sequence[UUID], actor: Actor) -> list[RowResult]:
    """Let the territories' rules decide anew where leads belong. Raises NotAllowed."""
    require(actor, ASSIGN_TERRITORY)
    atlas = current_atlas()
    moves: list[Move] = []

    def change(lead: Lead) -> Sequence[object]:
        rule = atlas.winner(subject_of(lead))
        if rule is None:
            raise NobodyToAssign("No territory claims this lead.", reason="no_territory_matches")
        (owner_id,) = hand_out([rule.territory_id], loads=open_lead_counts)
        return _assign(lead, owner_id, rule.territory_id, reason_for(rule), Cause.RULE, moves)

    results = change_each(ids=ids, change=change, actor=actor)
    note_assignments(LeadAssignment, moves, cause=Cause.RULE, at=timezone.now(), actor=actor)
    return results


def _owners(
    ids: Sequence[UUID], territory_id: UUID | None, owner_id: UUID | None
) -> dict[UUID, UUID | None]:
    if owner_id is not None or territory_id is None:
        return dict.fromkeys(ids, owner_id)
    chosen = hand_out([territory_id] * len(ids), loads=open_lead_counts)
    if None in chosen:
        raise NobodyToAssign(territory_id=territory_id)
    return dict(zip(ids, chosen, strict=True))


def _assign(
    lead: Lead,
    owner_id: UUID | None,
    territory_id: UUID | None,
    reason: str,
    cause: str,
    moves: list[Move],
) -> Sequence[object]:
    if lead.status == Lead.Status.CONVERTED:
        raise LeadAlreadyConverted(opportunity_id=lead.converted_opportunity_id)
    before = (lead.owner_id, lead.territory_id)
    if before == (owner_id, territory_id):
        return []
    lead.owner_id, lead.territory_id, lead.routing_reason = owner_id, territory_id, reason[:255]
    moves.append(Move(lead.pk, owner_id, territory_id, reason))
    told: list[object] = [
        AssignmentChanged(
            record_id=lead.pk,
            record_type="lead",
            territory_id=territory_id,
            previous_territory_id=before[1],
            owner_id=owner_id,
            previous_owner_id=before[0],
            reason=reason,
            cause=cause,
            effective_on=organisation_today(),
        ),
        LeadAssigned(
            lead_id=lead.pk,
            owner_id=owner_id,
            territory_id=territory_id,
            cause=cause,
            reason=reason,
        ),
    ]
    return told


def _person(user_id: UUID, actor: Actor) -> UUID:
    is_within = actor.reach.everything or user_id in actor.reach.user_ids
    if not is_within or not User.objects.active().filter(pk=user_id).exists():
        raise InvalidInput.field("assigned_to", "There is no such person within your reach.")
    return user_id
