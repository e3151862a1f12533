"""What deals are told by: the bodies that creating, changing and converting share."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from apps.core.api.bodies import (
    Body,
    Currency,
    Identifier,
    JSONObject,
    Money,
    Text,
    WholeNumber,
)
from apps.opportunities.models import Opportunity
from apps.opportunities.rules import OPEN_CATEGORIES, SplitKind

MOST_LINES = 200


class Share(serializers.DecimalField):
    """A share from 0 to 1, with at most four decimals."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            max_digits=5,
            decimal_places=4,
            min_value=Decimal(0),
            max_value=Decimal(1),
            coerce_to_string=False,
            **kwargs,
        )

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool) or not isinstance(data, int | float | str):
            raise serializers.ValidationError("Give a number from 0 to 1.")
        return super().to_internal_value(data)


class ProductLine(Body):
    """A product on a deal. Without a price it is the price book's."""

    product_id = Text(max_length=100, help_text="Its code, such as prod_123, or its id.")
    quantity = WholeNumber(min_value=1)
    unit_price = Money(required=False)
    discount = Share(required=False)
    configuration = JSONObject(required=False)


class Payment(Body):
    """A part of the contract's value, and when it is due."""

    due_on = serializers.DateField()
    amount = Money()


class DealFacts(Body):
    """What can be known of a deal; what is left out keeps its value or stays empty."""

    stage = Text(max_length=50, required=False)
    amount = Money(required=False)
    currency = Currency(required=False)
    expected_close_date = serializers.DateField(required=False, allow_null=True)
    probability = WholeNumber(max_value=100, required=False, allow_null=True)
    forecast_category = serializers.ChoiceField(
        [(one.value, one.label) for one in OPEN_CATEGORIES], required=False, allow_null=True
    )
    owner_id = Identifier(required=False)
    territory_id = Identifier(required=False, allow_null=True)
    next_step = Text(max_length=2000, required=False, allow_blank=True)
    products = serializers.ListField(child=ProductLine(), required=False, max_length=MOST_LINES)
    contract_term = WholeNumber(min_value=1, max_value=1200, required=False, allow_null=True)
    start_date = serializers.DateField(required=False, allow_null=True)
    payment_terms = Text(max_length=50, required=False, allow_blank=True)
    billing_frequency = serializers.ChoiceField(
        Opportunity.BillingFrequency.choices, required=False, allow_blank=True
    )
    payment_schedule = serializers.ListField(child=Payment(), required=False, max_length=MOST_LINES)
    special_requirements = Text(max_length=5000, required=False, allow_blank=True)
    priority = serializers.ChoiceField(
        Opportunity.Priority.choices, required=False, allow_blank=True
    )
    metadata = JSONObject(required=False)
    notes = Text(max_length=5000, required=False, allow_blank=True)


class NewDeal(DealFacts):
    """A deal to begin (sales-system-integrations, Create Opportunity)."""

    name = Text(max_length=255)
    account_id = Identifier(required=False)
    lead_id = Identifier(required=False, help_text="Converts this lead.")
    pipeline = Text(max_length=50, required=False)


class DealChange(DealFacts):
    """A change of a deal; `version` refuses it when somebody else was faster."""

    name = Text(max_length=255, required=False)
    account_id = Identifier(required=False)
    loss_reason = Text(max_length=255, required=False, allow_blank=True)
    close_reason = Text(max_length=255, required=False, allow_blank=True)
    version = WholeNumber(required=False)


class Conversion(DealFacts):
    """The deal that a lead becomes (sales-system-integrations, Convert Lead to Opportunity)."""

    opportunity_name = Text(max_length=255, required=False)
    account_id = Identifier(required=False)
    pipeline = Text(max_length=50, required=False)


class StageFacts(Body):
    """What is said when a deal moves (sales-system-integrations, Update Opportunity Stage)."""

    probability = WholeNumber(max_value=100, required=False)
    next_step = Text(max_length=2000, required=False, allow_blank=True)
    loss_reason = Text(max_length=255, required=False)
    close_reason = Text(max_length=255, required=False)
    notes = Text(max_length=5000, required=False, allow_blank=True)


class StageMove(StageFacts):
    """Where a deal goes."""

    stage = Text(max_length=50)
    version = WholeNumber(required=False)


class Percentage(serializers.DecimalField):
    """A percentage from 0 to 100 in hundredths."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            max_digits=5,
            decimal_places=2,
            min_value=Decimal(0),
            max_value=Decimal(100),
            coerce_to_string=False,
            **kwargs,
        )

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool) or not isinstance(data, int | float | str):
            raise serializers.ValidationError("Give a number from 0 to 100.")
        return super().to_internal_value(data)


class SplitFacts(Body):
    """What one person is credited of a deal."""

    user_id = Identifier()
    kind = serializers.ChoiceField(SplitKind.choices)
    percentage = Percentage()


class SplitBody(Body):
    """Who shares the credit for a deal; nobody, and it is the owner's alone."""

    splits = serializers.ListField(child=SplitFacts(), max_length=MOST_LINES)
    version = WholeNumber(required=False)


class Reopening(Body):
    """Why a deal is taken up again."""

    notes = Text(max_length=5000, required=False, allow_blank=True)
