"""What became of a deal, where it stood, and whose it was."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import display

from apps.core.admin import display as show
from apps.core.admin.inlines import ReadOnlyInline
from apps.opportunities.models import (
    OpportunityAssignment,
    OpportunityChange,
    StageSpan,
)
from apps.territories.admin import AssignmentsInline


class ChangesInline(ReadOnlyInline):
    """What became of a deal."""

    model = OpportunityChange
    related = ("stage_from", "stage_to", "owner_from", "owner_to")
    ordering = ("-seq",)
    fields = ("when", "what", "stages", "amounts", "days", "owners", "by", "notes")
    verbose_name_plural = "Changes"

    @display(description="When")
    def when(self, row: OpportunityChange) -> Any:
        """When it changed."""
        return show.moment(row.at)

    @display(description="What")
    def what(self, row: OpportunityChange) -> Any:
        """The kind of change."""
        return show.badge(show.words(row.kind), "info")

    @display(description="Stage")
    def stages(self, row: OpportunityChange) -> Any:
        """From where to where."""
        return _arrow(row.stage_from, row.stage_to)

    @display(description="Amount")
    def amounts(self, row: OpportunityChange) -> Any:
        """From what to what."""
        before = None if row.amount_from is None else show.plain_money(row.amount_from)
        return _arrow(before, show.plain_money(row.amount_to, row.currency))

    @display(description="Closes on")
    def days(self, row: OpportunityChange) -> Any:
        """From which day to which."""
        return _arrow(row.close_from, row.close_to or show.NOTHING)

    @display(description="Owner")
    def owners(self, row: OpportunityChange) -> Any:
        """From whom to whom."""
        return _arrow(row.owner_from, row.owner_to)

    @display(description="By")
    def by(self, row: OpportunityChange) -> str:
        """Whoever changed it."""
        return show.name_of_actor(row)


def _arrow(before: Any, after: Any) -> Any:
    """A value that changed, or the one it has."""
    if before is None or str(before) == str(after):
        return after
    return format_html('<span class="quiet">{}</span> → {}', before, after)


class SpansInline(ReadOnlyInline):
    """How long a deal stood where."""

    model = StageSpan
    related = ("stage",)
    ordering = ("-entered_at", "-id")
    fields = ("stage", "entered", "left", "days")
    verbose_name_plural = "Stages"

    @display(description="Entered")
    def entered(self, row: StageSpan) -> Any:
        """When it came."""
        return show.moment(row.entered_at)

    @display(description="Left")
    def left(self, row: StageSpan) -> Any:
        """When it went."""
        return show.moment(row.left_at) if row.left_at else show.badge("Now", "success")

    @display(description="Days")
    def days(self, row: StageSpan) -> Any:
        """How many days it stayed, beside how many deals usually stay."""
        days = ((row.left_at or timezone.now()) - row.entered_at).days
        usual = row.stage.expected_days
        if usual and days > usual:
            return show.badge(f"{days}, usually {usual}", "warning")
        return days


class DealAssignmentsInline(AssignmentsInline):
    """Whom a deal belonged to."""

    model = OpportunityAssignment
