"""Pipelines and their stages, to be read."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.inlines import ReadOnlyInline
from apps.opportunities.models import Pipeline, Stage
from apps.opportunities.permissions import READ_OPPORTUNITY


class StagesInline(ReadOnlyInline):
    """The stages of a pipeline in their order."""

    model = Stage
    tab = False
    ordering = ("position",)
    fields = (
        "name",
        "kind",
        "probability",
        "forecast_category",
        "expected_days",
        "needs_facts",
        "goes_on_to",
    )

    @display(description="Needs")
    def needs_facts(self, row: Stage) -> str:
        """What a deal must have to enter it."""
        return ", ".join(show.words(one) for one in row.required_fields) or show.NOTHING

    @display(description="Goes on to")
    def goes_on_to(self, row: Stage) -> str:
        """Where a deal may go from it."""
        return ", ".join(show.words(one) for one in row.forward) or show.NOTHING


@admin.register(Pipeline)
class PipelineAdmin(ActorAdmin):
    """Ways of selling."""

    read = READ_OPPORTUNITY
    shows_happenings = False
    ordering = ("name", "id")
    list_display = ("name", "key", "is_default", "is_active")
    sortable_by = ()
    fields = (("name", "key"), ("is_default", "is_active"))
    inlines = (StagesInline,)
