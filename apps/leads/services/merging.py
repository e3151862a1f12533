"""Merging duplicate leads, and undoing it.

A merged lead keeps all its rows and only points to its survivor, so undoing a merge is clearing
the pointer and restoring the survivor's values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.errors import NotFound
from apps.core.journal import publish
from apps.core.permissions import require
from apps.leads.errors import LeadsNotMergeable
from apps.leads.events import LeadsMerged, LeadsUnmerged
from apps.leads.models import Lead, LeadMerge
from apps.leads.permissions import MERGE_LEAD
from apps.leads.rules.facts import FACT_NAMES, OBJECTS, check_changes
from apps.leads.services.capture import put_changes
from apps.leads.services.lifecycle import lock_leads, refuse_reopened_duplicate


@command
def merge_leads(
    *,
    survivor_id: UUID,
    duplicate_ids: Sequence[UUID],
    values: Mapping[str, Any],
    actor: Actor,
) -> LeadMerge:
    """Fold duplicates into one lead, which takes the chosen values.

    Args:
        survivor_id: the lead that stays.
        duplicate_ids: those that are folded into it.
        values: facts the survivor takes over, by name.
        actor: must see all of them.

    Raises:
        NotFound, NotAllowed, InvalidInput, LeadsNotMergeable.
    """
    wanted = [survivor_id, *duplicate_ids]
    locked = lock_leads(wanted, actor=actor)
    if set(locked) != set(wanted):
        raise NotFound
    require(actor, MERGE_LEAD)
    if len(set(wanted)) != len(wanted) or not duplicate_ids:
        raise LeadsNotMergeable("Name each lead once, and at least one duplicate.")
    survivor = locked[survivor_id]
    if any(locked[one].status == Lead.Status.CONVERTED for one in duplicate_ids):
        raise LeadsNotMergeable("A converted lead can only be the one that stays.")
    merge = LeadMerge.objects.create(
        survivor=survivor,
        version_after=survivor.version,
        merged_ids=[str(one) for one in duplicate_ids],
        values_before=values_of(survivor),
        actor_id=actor.id,
    )
    Lead.objects.with_ids(duplicate_ids).update(merged_into=survivor, updated_at=timezone.now())
    if put_changes(survivor, check_changes(values, country=settings.DEFAULT_COUNTRY)):
        if survivor.is_open:
            refuse_reopened_duplicate(survivor)
        survivor.save()
    merge.version_after = survivor.version
    merge.save(update_fields=["version_after", "updated_at"])
    publish(LeadsMerged(lead_id=survivor.pk, merged_ids=tuple(duplicate_ids)), actor=actor)
    return merge


@command
def undo_merge(*, merge_id: UUID, actor: Actor) -> LeadMerge:
    """Separate merged leads again; the survivor gets back the values it had.

    Raises NotFound, NotAllowed, LeadsNotMergeable, DuplicateLead.
    """
    merge = LeadMerge.objects.select_for_update().filter(pk=merge_id).first()
    if merge is None:
        raise NotFound
    merged_ids = [UUID(one) for one in merge.merged_ids]
    locked = Lead.objects.lock_visible_to(actor, [merge.survivor_id, *merged_ids])
    if set(locked) != {merge.survivor_id, *merged_ids}:
        raise NotFound
    require(actor, MERGE_LEAD)
    if merge.undone_at is not None:
        raise LeadsNotMergeable("The merge was already undone.", reason="merge_already_undone")
    survivor = locked[merge.survivor_id]
    if survivor.version != merge.version_after:
        raise LeadsNotMergeable(
            "The lead was changed since the merge, which undoing would undo, too.",
            reason="changed_since_merge",
        )
    put_back(survivor, merge.values_before)
    if survivor.is_open:
        refuse_reopened_duplicate(survivor)
    survivor.save()
    for duplicate in (locked[one] for one in merged_ids):
        duplicate.merged_into = None
        if duplicate.is_open:
            refuse_reopened_duplicate(duplicate)
        duplicate.version += 1
        duplicate.save()
    merge.undone_at = timezone.now()
    merge.save(update_fields=["undone_at", "updated_at"])
    publish(LeadsUnmerged(lead_id=survivor.pk, restored_ids=tuple(merged_ids)), actor=actor)
    return merge


def values_of(lead: Lead) -> dict[str, Any]:
    """A lead's facts as JSON keeps them, to be restored from."""
    values: dict[str, Any] = orjson.loads(
        orjson.dumps({name: getattr(lead, name) for name in FACT_NAMES}, default=str)
    )
    return values


def put_back(lead: Lead, kept: Mapping[str, Any]) -> list[str]:
    """Give a row the facts it had; returns the names of those that differed.

    What was added to its objects since goes, too: `put_changes` alone would keep it.
    """
    facts = {name: value for name, value in kept.items() if not name.endswith("_key")}
    before = {name: getattr(lead, name) for name in OBJECTS}
    lead.metadata, lead.attribution = {}, {}
    changed = set(put_changes(lead, check_changes(facts, country=settings.DEFAULT_COUNTRY)))
    changed -= set(OBJECTS)
    changed |= {name for name in OBJECTS if before[name] != getattr(lead, name)}
    return sorted(changed)
