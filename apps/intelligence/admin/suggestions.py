"""What would help deals and leads most: a list, a tab on their pages, and a panel on the start
page."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from unfold.decorators import display
from unfold.enums import ActionVariant

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.inlines import ReadOnlyInline
from apps.core.admin.lists import ChoiceOf
from apps.core.admin.operations import Operation, OperationForm, text
from apps.core.admin.start_page import Panel, panel
from apps.core.money import ZERO
from apps.intelligence.models import Suggestion
from apps.intelligence.rules.suggestions import Decision
from apps.intelligence.services.suggestions import accept_suggestion, dismiss_suggestion
from apps.leads.models import Lead
from apps.leads.permissions import READ_LEAD
from apps.opportunities.models import Opportunity
from apps.opportunities.permissions import READ_OPPORTUNITY, WRITE_OPPORTUNITY

SHOWN = 5
WORTH_MOST = (Coalesce("value", ZERO).desc(), F("id").desc())
_TONES = {"open": "warning", "accepted": "info", "done": "success", "won": "success"}


class DismissalForm(OperationForm):
    """Why it will not be done."""

    because = text("Why not")


class DecisionFilter(ChoiceOf):
    """What was decided on; without it, what nobody decided on yet."""

    title = "decision"
    parameter_name = "decision"
    choices_offered = Decision.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Those that were decided so, or those that wait for somebody to decide."""
        if self.value():
            return queryset.filter(decision=self.value())
        return queryset.filter(ended_at=None, decision="")


@admin.register(Suggestion)
class SuggestionAdmin(ActorAdmin):
    """What to do about deals and leads, what is worth most first."""

    read = READ_OPPORTUNITY
    subject = "suggestion_id"
    ordering = WORTH_MOST
    shows_happenings = False
    list_display = ("what", "reason", "about", "owner", "worth", "points", "standing")
    list_filter = (DecisionFilter,)
    sortable_by = ()
    fields = (
        ("sentence", "standing"),
        "reason",
        ("about", "owner"),
        ("worth", "points"),
        ("made", "decided"),
        "because",
    )
    readonly_fields = ("standing", "about", "owner", "worth", "points", "made", "decided")
    operations = (
        Operation(
            name="accept",
            label="Will do",
            permission=WRITE_OPPORTUNITY,
            one=accept_suggestion,
            offered=lambda row: row.ended_at is None and not row.decision,
            in_bulk=True,
            sentence="It is suggested again if it is not done in two weeks.",
            icon="check",
            tone=ActionVariant.PRIMARY,
        ),
        Operation(
            name="dismiss",
            label="Will not do",
            permission=WRITE_OPPORTUNITY,
            one=dismiss_suggestion,
            form=DismissalForm,
            offered=lambda row: row.ended_at is None and not row.decision,
            in_bulk=True,
            sentence="It is suggested again in a month, if it still holds.",
            icon="close",
        ),
    )

    @display(description="What to do")
    def what(self, row: Suggestion) -> Any:
        """What, in one sentence."""
        return row.sentence

    def rows(self, actor: Actor, *, with_bin: bool = False) -> Any:
        """Those within reach, with what names a lead without naming a person."""
        return _named(super().rows(actor))

    @display(description="About")
    def about(self, row: Suggestion) -> Any:
        """The deal or lead."""
        if row.lead_id is not None:
            return show.link(Lead, row.lead_id, _name(row))
        return show.link(Opportunity, row.opportunity_id, _name(row))

    @display(description="Owner")
    def owner(self, row: Suggestion) -> Any:
        """Whose deal or lead it is."""
        return show.cut(_lead_owner(row) if row.opportunity is None else str(row.opportunity.owner))

    @display(description="Worth")
    def worth(self, row: Suggestion) -> Any:
        """What the points come to of the deal's amount, or of what a lead is usually worth."""
        return _money(row)

    @display(description="Points")
    def points(self, row: Suggestion) -> Any:
        """What the deal's score would gain."""
        return show.points(row.gain)

    @display(description="State")
    def standing(self, row: Suggestion) -> Any:
        """What was made of it, and how it ended."""
        return _standing(row)

    @display(description="Suggested")
    def made(self, row: Suggestion) -> Any:
        """When it was first said."""
        return show.moment(row.made_at)

    @display(description="Decided")
    def decided(self, row: Suggestion) -> Any:
        """By whom and when."""
        if row.decided_by is None:
            return show.NOTHING
        return show.two_lines(str(row.decided_by), show.moment(row.decided_at))


def _named(rows: Any) -> Any:
    return rows.select_related("opportunity__owner").annotate(
        company=F("lead__company"), lead_owner=F("lead__owner__name")
    )


def _name(row: Any) -> str:
    """A deal's name, or a lead's company: who reads about the person opens the lead."""
    return str(row.opportunity or row.company or "A lead")


def _lead_owner(row: Any) -> str:
    return row.lead_owner or ""


def _standing(row: Suggestion) -> Any:
    return show.state_badge(row.ended_as or row.decision or "open", _TONES)


def _money(row: Suggestion) -> Any:
    return show.money(row.value, settings.DEFAULT_CURRENCY)


class SuggestionsInline(ReadOnlyInline):
    """What to do about a deal, or a lead."""

    model = Suggestion
    fields = ("what", "reason", "points", "standing")
    needs = READ_OPPORTUNITY
    verbose_name_plural = "Suggestions"
    ordering = (F("ended_at").desc(nulls_first=True), *WORTH_MOST)

    @display(description="What to do")
    def what(self, row: Suggestion) -> Any:
        """What, with the way to its page, where it is decided on."""
        return show.link(Suggestion, row.pk, row.sentence)

    @display(description="Points")
    def points(self, row: Suggestion) -> Any:
        """What the deal's score would gain."""
        return show.points(row.gain)

    @display(description="State")
    def standing(self, row: Suggestion) -> Any:
        """What was made of it, and how it ended."""
        return _standing(row)


class LeadSuggestionsInline(SuggestionsInline):
    """What to do about a lead."""

    needs = READ_LEAD


deal_page: Any = admin.site.get_model_admin(Opportunity)
deal_page.inlines = (SuggestionsInline, *deal_page.inlines)
lead_page: Any = admin.site.get_model_admin(Lead)
lead_page.inlines = (LeadSuggestionsInline, *lead_page.inlines)


@panel(order=15, needs=READ_OPPORTUNITY)
def worth_most(actor: Actor) -> Panel | None:
    """What would help the deals and leads within reach most; nothing where nothing would."""
    rows = _named(Suggestion.objects.visible_to(actor).undecided())
    found = list(rows.order_by(*WORTH_MOST)[:SHOWN])
    if not found:
        return None
    return Panel(
        title="What to do next",
        note="Worth most first",
        address=show.list_of(Suggestion),
        template="admin/intelligence/suggestions.html",
        context={
            "suggestions": [
                (show.page_of(Suggestion, one.pk), one, _name(one), _money(one)) for one in found
            ]
        },
    )
