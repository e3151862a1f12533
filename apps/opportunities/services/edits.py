"""Deals in hand: locked within reach, as they were and as they are becoming."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.errors import NotFound, StaleVersion
from apps.opportunities.fields import OPPORTUNITIES
from apps.opportunities.models import Opportunity, OpportunityAssignment, OpportunityChange
from apps.opportunities.rules import Process, StageRule
from apps.opportunities.selectors import processes

Change = OpportunityChange.Kind
Cause = OpportunityAssignment.Cause

COLUMNS = tuple(
    one.attname
    for one in Opportunity._meta.concrete_fields
    if not isinstance(one, models.GeneratedField)
)


@dataclass
class Edit:
    """A deal in hand: as it is becoming, and as it was.

    Attributes:
        deal: changed in place, kept by `keep`.
        process: its pipeline.
        before: its columns when it was taken in hand; empty for a new deal.
        kind: of the change row.
        notes: kept in the change row.
        cause: of a new assignment.
        reason: of a new assignment.
        also_changed: what is told as changed besides the columns.
        is_taking_back: whether it puts back what was, which postpones nothing.
    """

    deal: Opportunity
    process: Process
    before: dict[str, Any] = field(default_factory=dict)
    kind: str = Change.CHANGED
    notes: str = ""
    cause: str = Cause.MANUAL
    reason: str = ""
    also_changed: list[str] = field(default_factory=list)
    is_taking_back: bool = False

    @classmethod
    def of(cls, deal: Opportunity, process: Process) -> Edit:
        """Take an existing deal in hand."""
        return cls(deal, process, {name: getattr(deal, name) for name in COLUMNS})

    @property
    def is_new(self) -> bool:
        """Whether the deal did not exist before."""
        return not self.before

    @property
    def stage(self) -> StageRule:
        """The stage it stands in now."""
        return self.process.stage(self.deal.stage_key)

    def differs(self, *names: str) -> bool:
        """Whether any of these columns is not what it was."""
        return any(self.before.get(name) != getattr(self.deal, name) for name in names)

    def differing(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that are not what they were."""
        return tuple(name for name in names if self.differs(name))

    @property
    def has_changed(self) -> bool:
        """Whether there is anything to keep."""
        return bool(self.is_new or self.also_changed or self.notes or self.differing(COLUMNS))


def take_in_hand(ids: Sequence[UUID], *, actor: Actor, from_bin: bool = False) -> dict[UUID, Edit]:
    """Those of the deals that are within reach, locked in key order until the transaction ends."""
    deals = Opportunity.objects.lock_visible_to(actor, ids, in_bin=from_bin)
    compiled = processes({one.pipeline_id for one in deals.values()})
    return {key: Edit.of(one, compiled[one.pipeline_id]) for key, one in deals.items()}


def take_one_in_hand(opportunity_id: UUID, *, actor: Actor, from_bin: bool = False) -> Edit:
    """One deal within reach, locked. Raises NotFound."""
    edits = take_in_hand([opportunity_id], actor=actor, from_bin=from_bin)
    if not edits:
        raise NotFound
    return edits[opportunity_id]


def refuse_stale(edit: Edit, version: int | None, *, actor: Actor) -> None:
    """Refuse a change meant for another version than there is; None means whatever there is.

    Raises StaleVersion with the `current` row.
    """
    if version is not None and version != edit.deal.version:
        raise StaleVersion(current=OPPORTUNITIES.one(actor, edit.deal.pk))


def moment_after(edits: Iterable[Edit]) -> datetime:
    """Now, and not before anything in the deals' history: another server's clock may be ahead."""
    return max([timezone.now(), *(one.deal.stage_entered_at for one in edits)])
