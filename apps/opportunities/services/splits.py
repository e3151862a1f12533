"""Who shares the credit for a deal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.errors import InvalidInput
from apps.core.permissions import require
from apps.opportunities.models import Opportunity, OpportunitySplit
from apps.opportunities.permissions import ASSIGN_OPPORTUNITY, WRITE_OPPORTUNITY
from apps.opportunities.rules import Kind, Split, check_splits
from apps.opportunities.services.edits import moment_after, refuse_stale, take_one_in_hand
from apps.opportunities.services.history import keep
from apps.users.models import User


@command
def split_opportunity(
    *,
    opportunity_id: UUID,
    splits: Sequence[Mapping[str, Any]],
    actor: Actor,
    version: int | None = None,
) -> Opportunity:
    """Say who shares the credit for a deal; with nobody named it is the owner's alone.

    Args:
        opportunity_id: of a deal within reach.
        splits: each with `user_id`, `percentage` and `kind`: the revenue shares come to exactly
            100, overlays are free.
        actor: needs `opportunity:write`, and for a won deal `opportunity:assign` as well.
        version: the one the change is meant for; None changes whatever there is.

    Raises:
        NotFound, NotAllowed, StaleVersion, InvalidInput.
    """
    edit = take_one_in_hand(opportunity_id, actor=actor)
    require(actor, WRITE_OPPORTUNITY)
    if edit.deal.kind == Kind.WON:
        require(actor, ASSIGN_OPPORTUNITY)
    refuse_stale(edit, version, actor=actor)
    wanted = [Split(one["user_id"], one["kind"], one["percentage"]) for one in splits]
    check_splits(wanted)
    before = {
        Split(one.user_id, one.kind, one.percentage)
        for one in OpportunitySplit.objects.filter(opportunity=edit.deal)
    }
    if before == set(wanted):
        return edit.deal
    _check_people(wanted, known={one.user_id for one in before})
    OpportunitySplit.objects.filter(opportunity=edit.deal).delete()
    OpportunitySplit.objects.bulk_create(
        OpportunitySplit(
            opportunity=edit.deal,
            user_id=one.user_id,
            kind=one.kind,
            percentage=one.percentage,
        )
        for one in wanted
    )
    edit.also_changed.append("splits")
    keep([edit], now=moment_after([edit]), actor=actor)
    return edit.deal


def _check_people(wanted: Sequence[Split], *, known: set[UUID]) -> None:
    """Whoever left keeps the share they have; a new one goes to people who work here."""
    fresh = {one.user_id for one in wanted} - known
    there = set(User.objects.active().filter(pk__in=fresh).values_list("pk", flat=True))
    for place, one in enumerate(wanted):
        if one.user_id in fresh - there:
            raise InvalidInput.field(f"splits[{place}].user_id", "There is no such person.")
