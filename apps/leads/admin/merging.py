"""Merging leads on their pages: which are the same, and which of them stays."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django import forms
from django.utils.timezone import localtime
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.inlines import ReadOnlyInline
from apps.core.admin.operations import OperationForm, choice
from apps.core.admin.visitors import note_shown
from apps.core.bulk import RowResult
from apps.core.errors import InvalidInput
from apps.leads.models import Lead, LeadMerge
from apps.leads.selectors import lead_duplicates
from apps.leads.services.merging import merge_leads, undo_merge

MERGED_AT_ONCE = 20


class MergeForm(OperationForm):
    """Which leads are the same, and which of them stays."""

    duplicates = forms.MultipleChoiceField(
        label="The same as", required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget()
    )
    survivor_id = choice("The lead that stays")

    def prepare(self) -> None:
        """On a lead's page it and those like it; in the list those that were chosen."""
        if self.row is not None:
            others = similar_leads(self.row, self.actor)
            leads = [self.row, *others]
            self.fields["duplicates"].choices = [  # type: ignore[attr-defined]
                (str(one.pk), described(one)) for one in others
            ]
        else:
            leads = list(self.chosen[: MERGED_AT_ONCE + 1]) if self.chosen is not None else []
            del self.fields["duplicates"]
        note_shown(self.actor, leads)
        self.fields["survivor_id"].choices = [  # type: ignore[attr-defined]
            (str(one.pk), described(one)) for one in leads
        ]


class UnmergeForm(OperationForm):
    """Which merge is undone."""

    merge_id = choice("Merge")

    def prepare(self) -> None:
        """The merges into this lead that are still in effect."""
        if self.row is not None:
            merges = self.row.merges.filter(undone_at=None).order_by("-created_at")
            self.fields["merge_id"].choices = [  # type: ignore[attr-defined]
                (
                    str(one.pk),
                    f"{len(one.merged_ids)} leads, {localtime(one.created_at):%Y-%m-%d %H:%M}",
                )
                for one in merges
            ]


def described(lead: Lead) -> str:
    """A lead in one line."""
    parts = (lead.name, lead.company, lead.email, show.words(lead.status))
    return " · ".join(part for part in parts if part)


def similar_leads(lead: Lead, actor: Actor) -> list[Lead]:
    """Leads within reach that may be the same person."""
    hints = lead_duplicates(lead_id=lead.pk, actor=actor)["data"]
    found = Lead.objects.visible_to(actor).with_ids([one["id"] for one in hints])
    return list(found.defer("search_vector")[:MERGED_AT_ONCE])


def merge_here(
    *, lead_id: UUID, duplicates: Sequence[str], survivor_id: str, actor: Actor
) -> LeadMerge:
    """Merge a lead with those found to be the same."""
    return _merge([lead_id, *map(UUID, duplicates)], UUID(survivor_id), actor)


def merge_chosen(*, ids: Sequence[UUID], survivor_id: str, actor: Actor) -> list[RowResult]:
    """Merge the leads that were chosen in the list."""
    if len(ids) > MERGED_AT_ONCE:
        raise InvalidInput(f"At most {MERGED_AT_ONCE} leads at once.", reason="too_many_rows")
    _merge(ids, UUID(survivor_id), actor)
    return [RowResult(one) for one in ids]


def _merge(ids: Sequence[UUID], survivor_id: UUID, actor: Actor) -> LeadMerge:
    others = [one for one in ids if one != survivor_id]
    return merge_leads(survivor_id=survivor_id, duplicate_ids=others, values={}, actor=actor)


def unmerge_here(*, lead_id: UUID, merge_id: str, actor: Actor) -> LeadMerge:
    """Undo a merge into this lead."""
    return undo_merge(merge_id=UUID(merge_id), actor=actor)


class MergesInline(ReadOnlyInline):
    """The leads that were folded into a lead."""

    model = LeadMerge
    fields = ("created_at", "leads", "by", "undone_at")
    ordering = ("-created_at", "-id")
    verbose_name_plural = "Merges"

    @display(description="Leads")
    def leads(self, row: LeadMerge) -> int:
        """How many."""
        return len(row.merged_ids)

    @display(description="By")
    def by(self, row: LeadMerge) -> str:
        """Whoever merged them."""
        return show.name_of_actor(row)
