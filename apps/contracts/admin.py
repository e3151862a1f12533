"""Pages of contracts, and what they add to the pages of deals and accounts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from apps.accounts.models import Account
from apps.contracts.models import Contract
from apps.contracts.permissions import ACKNOWLEDGE_CONTRACT, READ_CONTRACT, WRITE_CONTRACT
from apps.contracts.rules import ContractStatus
from apps.contracts.services.contracts import (
    TERMS,
    acknowledge_contract,
    change_contract,
    create_contract,
)
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.inlines import ReadOnlyInline
from apps.core.admin.lists import ChoiceOf
from apps.core.admin.operations import Operation, OperationForm, choice, day, text
from apps.opportunities.models import Opportunity
from apps.opportunities.rules import Kind

TONES = {
    ContractStatus.DRAWN_UP: "info",
    ContractStatus.ACKNOWLEDGED: "success",
    ContractStatus.VOID: "neutral",
}


class TermsForm(OperationForm):
    """What is agreed: what the deal says, unless something else is said here."""

    contract_term = forms.IntegerField(
        label="Months", min_value=1, max_value=1200, widget=UnfoldAdminIntegerFieldWidget()
    )
    start_date = day("Starts on", required=True)
    payment_terms = text("Payment terms", required=True, help_text="Such as net_30.")
    billing_frequency = choice("Billed", Opportunity.BillingFrequency.choices)

    def prepare(self) -> None:
        """What the deal says."""
        if self.row is not None:
            self.initial.update(
                {name: getattr(self.row, name) for name in TERMS if name in self.fields}
            )


class AcknowledgementForm(OperationForm):
    """The number under which billing keeps it."""

    external_id = text("Number", required=True)


class StatusFilter(ChoiceOf):
    """Narrows contracts to those that came so far."""

    title = "status"
    parameter_name = "status"
    choices_offered = tuple((value, str(label)) for value, label in ContractStatus.choices)


def _standing(row: Contract) -> Any:
    return show.badge(row.get_status_display(), TONES[ContractStatus(row.status)])


@admin.register(Contract)
class ContractAdmin(ActorAdmin):
    """What was agreed with the customers of won deals."""

    read = READ_CONTRACT
    write = WRITE_CONTRACT
    subject = "contract_id"
    changes = staticmethod(change_contract)
    list_display = ("what", "state", "worth", "begins", "ends", "number")
    list_select_related = ("opportunity", "account")
    list_filter = (StatusFilter,)
    sortable_by = ()
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("deal", "customer"),
                    ("state", "worth"),
                    ("contract_term", "start_date"),
                    ("end_date", "payment_terms"),
                    ("billing_frequency", "number"),
                )
            },
        ),
        ("Payments", {"fields": ("payments",)}),
        ("Products", {"fields": ("sold",)}),
    )
    readonly_fields = (
        "deal",
        "customer",
        "state",
        "worth",
        "end_date",
        "number",
        "payments",
        "sold",
    )
    operations = (
        Operation(
            name="acknowledge",
            label="Acknowledge",
            permission=ACKNOWLEDGE_CONTRACT,
            one=acknowledge_contract,
            form=AcknowledgementForm,
            offered=lambda contract: contract.status == ContractStatus.DRAWN_UP,
            icon="verified",
            tone=ActionVariant.PRIMARY,
            sentence="Billing keeps it under a number of its own.",
        ),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not of a contract that is void."""
        is_void = obj is not None and obj.status == ContractStatus.VOID
        return not is_void and super().has_change_permission(request, obj)

    @display(description="Contract")
    def what(self, row: Contract) -> Any:
        """The deal and its customer."""
        return show.two_lines(row.opportunity.name, row.account.name)

    @display(description="Status")
    def state(self, row: Contract) -> Any:
        """How far it has come."""
        return _standing(row)

    @display(description="Amount")
    def worth(self, row: Contract) -> Any:
        """What was sold."""
        return show.money(row.amount, row.currency)

    @display(description="From")
    def begins(self, row: Contract) -> Any:
        """Its first day."""
        return row.start_date

    @display(description="Until")
    def ends(self, row: Contract) -> Any:
        """Its last day."""
        return row.end_date

    @display(description="Number")
    def number(self, row: Contract) -> Any:
        """Under which billing keeps it."""
        return show.cut(row.external_id)

    @display(description="Opportunity")
    def deal(self, row: Contract) -> Any:
        """What was sold, with the way there."""
        return show.link(Opportunity, row.opportunity_id, row.opportunity)

    @display(description="Account")
    def customer(self, row: Contract) -> Any:
        """Who bought it, with the way there."""
        return show.link(Account, row.account_id, row.account)

    @display(description="Due")
    def payments(self, row: Contract) -> Any:
        """What is due when."""
        return show.table(
            ("On", "Amount"),
            (
                (one["due_on"], show.money(one["amount"], row.currency))
                for one in row.payment_schedule
            ),
        )

    @display(description="Sold")
    def sold(self, row: Contract) -> Any:
        """The products."""
        return show.table(
            ("Product", "Quantity", "Amount"),
            (
                (one["product_name"], one["quantity"], show.money(one["amount"], row.currency))
                for one in row.products
            ),
        )


class ContractsInline(ReadOnlyInline):
    """The contracts of a deal or an account."""

    model = Contract
    needs = READ_CONTRACT
    ordering = ("-created_at", "-id")
    fields = ("number", "state", "start_date", "end_date", "worth")
    verbose_name_plural = "Contracts"
    show_change_link = True

    @display(description="Number")
    def number(self, row: Contract) -> Any:
        """Under which billing keeps it."""
        return show.link(Contract, row.pk, row)

    @display(description="Status")
    def state(self, row: Contract) -> Any:
        """How far it has come."""
        return _standing(row)

    @display(description="Amount")
    def worth(self, row: Contract) -> Any:
        """What was sold."""
        return show.money(row.amount, row.currency)


for model in (Opportunity, Account):
    page: Any = admin.site.get_model_admin(model)
    page.inlines = (*page.inlines, ContractsInline)

deals: Any = admin.site.get_model_admin(Opportunity)
deals.offer(
    Operation(
        name="contract",
        label="Draw up the contract",
        permission=WRITE_CONTRACT,
        one=create_contract,
        form=TermsForm,
        offered=lambda deal: (
            deal.kind == Kind.WON and not Contract.objects.standing().of_deals([deal.pk]).exists()
        ),
        icon="contract",
        tone=ActionVariant.PRIMARY,
        sentence="For billing to go by. The payments are worked out from it.",
        leads_to=lambda contract: show.page_of(Contract, contract.pk),
    )
)
