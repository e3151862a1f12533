"""A lead's way through its statuses, the bin and conversion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.core.actors import Actor
from apps.core.bulk import RowResult
from apps.core.commands import command
from apps.core.errors import NotFound, Refusal
from apps.core.journal import publish
from apps.core.loading import update_rows
from apps.core.permissions import require
from apps.leads.errors import DuplicateLead, LeadAlreadyConverted, LeadMoveNotAllowed, LeadNotReady
from apps.leads.events import LeadConverted, LeadQualified, LeadStatusChanged, LeadUpdated
from apps.leads.models import Lead
from apps.leads.permissions import DELETE_LEAD, WRITE_LEAD
from apps.leads.rules.lifecycle import allowed_statuses, missing_for_qualification

Change = Callable[[Lead], Sequence[object]]


@command
def move_lead(*, lead_id: UUID, status: str, reason: str = "", actor: Actor) -> Lead:
    """Take one lead to another status. Raises NotFound, NotAllowed, LeadMoveNotAllowed,
    LeadNotReady."""
    require(actor, WRITE_LEAD)
    lead = lock_lead(lead_id, actor=actor)
    told = _move(lead, status, reason)
    _keep([lead], told, actor)
    return lead


def move_leads(
    *, ids: Sequence[UUID], status: str, reason: str = "", actor: Actor
) -> list[RowResult]:
    """Take leads to another status: contacted, qualified, unqualified, or new by reopening.

    Raises NotAllowed; what else is refused is told per lead.
    """
    require(actor, WRITE_LEAD)
    reopened: set[str] = set()

    def change(lead: Lead) -> Sequence[object]:
        if status == Lead.Status.NEW and lead.email_key in reopened:
            raise DuplicateLead.elsewhere()
        told = _move(lead, status, reason)
        if status == Lead.Status.NEW:
            reopened.add(lead.email_key)
        return told

    return change_each(ids=ids, change=change, actor=actor)


def _move(lead: Lead, status: str, reason: str) -> Sequence[object]:
    allowed = allowed_statuses(lead.status)
    if status not in allowed:
        raise LeadMoveNotAllowed.of(current=lead.status, requested=status, allowed=allowed)
    if status == Lead.Status.QUALIFIED and (
        missing := missing_for_qualification(company=lead.company, last_name=lead.last_name)
    ):
        raise LeadNotReady(f"Complete {', '.join(missing)} first.", fields=missing)
    if status == Lead.Status.NEW:
        refuse_reopened_duplicate(lead)
    previous, lead.status, lead.status_reason = lead.status, status, reason[:255]
    told: list[object] = [
        LeadStatusChanged(
            lead_id=lead.pk, previous_status=previous, status=status, reason=lead.status_reason
        )
    ]
    if status == Lead.Status.QUALIFIED:
        told.append(
            LeadQualified(
                lead_id=lead.pk,
                owner_id=lead.owner_id,
                territory_id=lead.territory_id,
                score=lead.score,
            )
        )
    return told


def refuse_reopened_duplicate(lead: Lead) -> None:
    """A lead can't be open beside another with its address. Raises DuplicateLead."""
    if Lead.objects.open().filter(email_key=lead.email_key).exclude(pk=lead.pk).exists():
        raise DuplicateLead.elsewhere()


def delete_leads(*, ids: Sequence[UUID], actor: Actor) -> list[RowResult]:
    """Put leads into the bin, from which they can be restored for 30 days. Raises NotAllowed."""
    require(actor, DELETE_LEAD)

    def change(lead: Lead) -> Sequence[object]:
        lead.deleted_at, lead.deleted_by_id = timezone.now(), actor.id
        return [LeadUpdated(lead_id=lead.pk, changed=("bin",))]

    return change_each(ids=ids, change=change, actor=actor)


def delete_lead(*, lead_id: UUID, actor: Actor) -> None:
    """Put a lead into the bin. Raises NotFound, NotAllowed."""
    (result,) = delete_leads(ids=[lead_id], actor=actor)
    if result.refusal:
        raise result.refusal


@command
def restore_lead(*, lead_id: UUID, actor: Actor) -> Lead:
    """Take a lead out of the bin. Raises NotFound, NotAllowed, DuplicateLead."""
    lead: Lead | None = Lead.objects.lock_visible_to(actor, [lead_id], in_bin=True).get(lead_id)
    if lead is None:
        raise NotFound
    require(actor, DELETE_LEAD)
    if lead.is_open:
        refuse_reopened_duplicate(lead)
    lead.deleted_at = lead.deleted_by_id = None
    _keep([lead], [LeadUpdated(lead_id=lead.pk, changed=("bin",))], actor)
    return lead


def lock_leads(ids: Sequence[UUID], *, actor: Actor) -> dict[UUID, Lead]:
    """Those of the leads that are within reach and not folded into another, by id, locked in key
    order. In a transaction."""
    locked: dict[UUID, Lead] = Lead.objects.lock_visible_to(actor, ids)
    return {lead_id: lead for lead_id, lead in locked.items() if lead.merged_into_id is None}


def lock_lead(lead_id: UUID, *, actor: Actor) -> Lead:
    """One lead within reach that is not folded into another, locked. In a transaction.

    Raises NotFound.
    """
    lead = lock_leads([lead_id], actor=actor).get(lead_id)
    if lead is None:
        raise NotFound
    return lead


@command
def change_each(*, ids: Sequence[UUID], change: Change, actor: Actor) -> list[RowResult]:
    """Change leads within reach, locked in key order; a refused one leaves the others alone.

    Args:
        ids: the leads; those out of reach answer NotFound.
        change: puts the change on the row and answers with its events, or raises a refusal.
        actor: whose reach counts.
    """
    return change_locked(lock_leads(ids, actor=actor), ids=ids, change=change, actor=actor)


def change_locked(
    locked: Mapping[UUID, Lead], *, ids: Sequence[UUID], change: Change, actor: Actor
) -> list[RowResult]:
    """The same with leads that are locked already. In a transaction."""
    results: list[RowResult] = []
    changed: list[Lead] = []
    told: list[object] = []
    for lead_id in ids:
        lead = locked.get(lead_id)
        try:
            if lead is None:
                raise NotFound
            told += change(lead)
        except Refusal as refusal:
            results.append(RowResult(lead_id, refusal))
            continue
        changed.append(lead)
        results.append(RowResult(lead_id))
    _keep(changed, told, actor)
    return results


_CHANGEABLE = (
    "status",
    "status_reason",
    "owner_id",
    "territory_id",
    "routing_reason",
    "deleted_at",
    "deleted_by_id",
    "version",
    "updated_at",
)


def _keep(leads: Sequence[Lead], told: Sequence[object], actor: Actor) -> None:
    """Write changed rows as their next versions, and tell."""
    now = timezone.now()
    for lead in leads:
        lead.version += 1
        lead.updated_at = now
    update_rows(leads, _CHANGEABLE)
    publish(*told, actor=actor)


def lock_for_conversion(*, lead_id: UUID, actor: Actor) -> Lead:
    """The lead that is about to become an opportunity, locked. In a transaction.

    Raises NotFound, NotAllowed, LeadAlreadyConverted (with the opportunity), LeadMoveNotAllowed.
    """
    lead = lock_lead(lead_id, actor=actor)
    require(actor, WRITE_LEAD)
    if lead.status == Lead.Status.CONVERTED:
        raise LeadAlreadyConverted(opportunity_id=lead.converted_opportunity_id)
    if lead.status == Lead.Status.UNQUALIFIED:
        raise LeadMoveNotAllowed.of(
            current=lead.status,
            requested=Lead.Status.CONVERTED,
            allowed=allowed_statuses(lead.status),
        )
    return lead


def mark_lead_converted(
    lead: Lead,
    *,
    opportunity_id: UUID,
    account_id: UUID,
    contact_id: UUID | None,
    actor: Actor,
) -> None:
    """Note that a locked lead became an opportunity. In the transaction of the conversion.

    A lead that was not qualified yet is qualified by being converted.
    """
    told: list[Any] = []
    if lead.status != Lead.Status.QUALIFIED:
        told.append(
            LeadQualified(
                lead_id=lead.pk,
                owner_id=lead.owner_id,
                territory_id=lead.territory_id,
                score=lead.score,
            )
        )
    lead.status = Lead.Status.CONVERTED
    lead.converted_opportunity_id = opportunity_id
    lead.converted_account_id = account_id
    lead.converted_contact_id = contact_id
    lead.converted_at = timezone.now()
    lead.version += 1
    lead.updated_at = timezone.now()
    update_rows(
        [lead],
        (
            "status",
            "converted_opportunity_id",
            "converted_account_id",
            "converted_contact_id",
            "converted_at",
            "version",
            "updated_at",
        ),
    )
    told.append(
        LeadConverted(
            lead_id=lead.pk,
            opportunity_id=opportunity_id,
            account_id=account_id,
            contact_id=contact_id,
            owner_id=lead.owner_id,
            territory_id=lead.territory_id,
        )
    )
    publish(*told, actor=actor)
