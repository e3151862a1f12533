"""What activities add to the pages of leads, deals and accounts: their timeline, and logging."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from unfold.decorators import display

from apps.accounts.models import Account
from apps.activities.admin.activities import minutes, standing
from apps.activities.models import Activity
from apps.activities.permissions import READ_ACTIVITY, WRITE_ACTIVITY
from apps.activities.services.activities import log_activity
from apps.core.admin import display as show
from apps.core.admin.inlines import ReadOnlyInline
from apps.core.admin.operations import Operation, OperationForm, choice, text
from apps.leads.models import Lead
from apps.opportunities.models import Opportunity


class LogForm(OperationForm):
    """What was done, or is to be done."""

    type = choice("Type", Activity.Type.choices)
    subject = text("Subject", required=True)
    description = text("Description", long=True)
    outcome = text("Outcome", help_text="Of what was done.")
    duration_minutes = minutes()


class TimelineInline(ReadOnlyInline):
    """What was done and is to be done about a row, newest first."""

    model = Activity
    needs = READ_ACTIVITY
    related = ("user", "data_key")
    ordering = ("-timeline_at", "-id")
    fields = ("when", "type", "what", "outcome", "state", "user")
    verbose_name_plural = "Activities"

    @display(description="Subject")
    def what(self, row: Activity) -> Any:
        """What was done, with the way to its page."""
        return show.link(Activity, row.pk, row)

    @display(description="When")
    def when(self, row: Activity) -> Any:
        """Where it stands in the timeline."""
        return show.moment(row.timeline_at)

    @display(description="State")
    def state(self, row: Activity) -> Any:
        """Whether it was done."""
        return standing(row)


for model in (Lead, Opportunity, Account):
    page: Any = admin.site.get_model_admin(model)
    page.inlines = (TimelineInline, *page.inlines)
    page.offer(
        Operation(
            name="log",
            label="Log an activity",
            permission=WRITE_ACTIVITY,
            one=log_activity,
            form=LogForm,
            icon="add_task",
            sentence="It is done now, unless it is a task.",
        )
    )
