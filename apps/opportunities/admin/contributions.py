"""What opportunities add to the pages of leads and accounts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from apps.accounts.models import Account
from apps.core.admin import display as show
from apps.core.admin.inlines import ReadOnlyInline
from apps.core.admin.operations import Operation, OperationForm, day, picker, text
from apps.leads.models import Lead
from apps.opportunities.models import Opportunity
from apps.opportunities.permissions import READ_OPPORTUNITY, WRITE_OPPORTUNITY
from apps.opportunities.services.conversion import convert_lead


class ConvertForm(OperationForm):
    """What the lead becomes."""

    opportunity_name = text("Name of the opportunity", help_text="The account's, if empty.")
    account_id = picker(
        "Account",
        Opportunity,
        "account",
        help_text="The one its domain or company names, if empty; opened where there is none.",
    )
    amount = forms.DecimalField(
        label="Amount",
        required=False,
        min_value=0,
        max_digits=15,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    expected_close_date = day("Expected to close on")

    def prepare(self) -> None:
        """Only accounts within reach."""
        accounts: Any = self.fields["account_id"]
        accounts.queryset = Account.objects.visible_to(self.actor)

    def facts(self) -> dict[str, Any]:
        """What was said; what was left empty is not stated."""
        return {name: value for name, value in super().facts().items() if value not in ("", None)}


class DealsInline(ReadOnlyInline):
    """The deals of an account, or the one a lead became."""

    model = Opportunity
    needs = READ_OPPORTUNITY
    related = ("owner", "stage")
    ordering = ("-created_at", "-id")
    fields = ("name", "standing", "worth", "expected_close_date", "owner")
    verbose_name_plural = "Opportunities"
    show_change_link = True

    @display(description="Stage")
    def standing(self, row: Opportunity) -> str:
        """Where it stands."""
        return row.stage.name

    @display(description="Amount")
    def worth(self, row: Opportunity) -> Any:
        """What it is worth."""
        return show.money(row.amount, row.currency)


leads: Any = admin.site.get_model_admin(Lead)
leads.inlines = (DealsInline, *leads.inlines)
leads.offer(
    Operation(
        name="convert",
        label="Convert",
        permission=WRITE_OPPORTUNITY,
        one=convert_lead,
        form=ConvertForm,
        offered=lambda lead: lead.is_open,
        icon="rocket_launch",
        tone=ActionVariant.PRIMARY,
        sentence="The lead becomes an opportunity, with its account and its contact.",
        leads_to=lambda deal: show.page_of(Opportunity, deal.pk),
    )
)

accounts: Any = admin.site.get_model_admin(Account)
accounts.inlines = (DealsInline, *accounts.inlines)
