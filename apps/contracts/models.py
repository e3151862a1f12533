"""Contracts: what was agreed with the customer of a won deal, for billing to go by."""

from __future__ import annotations

from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q

from apps.accounts.models import Account
from apps.contracts.querysets import ContractQuerySet
from apps.contracts.rules import ContractStatus
from apps.core.history import audited
from apps.core.models import Record
from apps.core.money import CurrencyField, MoneyField
from apps.opportunities.models import Opportunity
from apps.territories.models import Territory
from apps.users.models import User

_STANDING = ~Q(status=ContractStatus.VOID)
# They follow the deal.
PLACE = ("owner_id", "territory_id")


@audited("contracts", leave_out=PLACE)
class Contract(Record):
    """What was agreed with the customer of a won deal (sales-system-integrations, Billing System).

    `amount` and `products` are what was sold, as it stood when the contract was drawn up, and
    `opportunity_version` says which version of the deal that was. `owner` and `territory` repeat
    the deal's, which the database keeps equal. `external_id` is the number billing keeps it under.
    """

    opportunity = models.ForeignKey(
        Opportunity, on_delete=models.PROTECT, related_name="contracts", db_index=False
    )
    opportunity_version = models.IntegerField(editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="contracts")
    owner = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="+", db_index=False, editable=False
    )
    territory = models.ForeignKey(
        Territory,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        editable=False,
    )
    status = models.CharField(
        max_length=20, choices=ContractStatus, default=ContractStatus.DRAWN_UP, editable=False
    )
    amount = MoneyField(editable=False)
    currency = CurrencyField(editable=False)
    contract_term = models.SmallIntegerField(help_text="In months.")
    start_date = models.DateField()
    end_date = models.DateField(editable=False)
    payment_terms = models.CharField(max_length=50)
    billing_frequency = models.CharField(max_length=20, choices=Opportunity.BillingFrequency)
    payment_schedule = models.JSONField(default=list, editable=False, encoder=DjangoJSONEncoder)
    products = models.JSONField(default=list, editable=False, encoder=DjangoJSONEncoder)
    external_system = models.CharField(max_length=50, blank=True, editable=False)
    external_id = models.CharField(max_length=100, blank=True, editable=False)
    acknowledged_at = models.DateTimeField(null=True, editable=False)
    voided_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar = ContractQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="contract_newest"),
            models.Index(fields=["owner", "-created_at", "-id"], name="contract_owned"),
            models.Index(fields=["territory", "-created_at", "-id"], name="contract_placed"),
            models.Index(fields=["opportunity"], name="contract_of_deal"),
            models.Index(fields=["end_date", "id"], name="contract_ending", condition=_STANDING),
        ]
        constraints = [
            models.UniqueConstraint(
                "opportunity", name="contract_one_standing", condition=_STANDING
            ),
            models.UniqueConstraint(
                "external_system",
                "external_id",
                name="contract_number_once",
                condition=~Q(external_id=""),
            ),
            models.CheckConstraint(condition=Q(contract_term__gt=0), name="contract_term_months"),
            models.CheckConstraint(
                condition=Q(end_date__gte=F("start_date")), name="contract_direction"
            ),
            models.CheckConstraint(
                condition=Q(status="drawn_up", acknowledged_at=None, external_id="")
                | (Q(status="acknowledged", acknowledged_at__isnull=False) & ~Q(external_id=""))
                | Q(status="void"),
                name="contract_status_agrees",
            ),
            models.CheckConstraint(
                condition=Q(status="void", voided_at__isnull=False)
                | (_STANDING & Q(voided_at=None)),
                name="contract_void_since",
            ),
        ]

    def __str__(self) -> str:
        return self.external_id or f"Contract from {self.start_date}"
