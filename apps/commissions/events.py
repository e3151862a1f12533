"""What happens to commissions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from apps.core.events import event

TOPIC = "sales.commissions"


@event("commission.calculated", topic=TOPIC, about="user_id")
@dataclass(frozen=True, kw_only=True)
class CommissionCalculated:
    """What somebody is due for a period changed; a `change` below zero is taken back."""

    user_id: UUID
    period: str
    credited_amount: Decimal
    commission_amount: Decimal
    change: Decimal
    currency: str


@event("commission.plan_assigned", topic=TOPIC, about="user_id")
@dataclass(frozen=True, kw_only=True)
class CommissionPlanAssigned:
    """Somebody earns by a plan from a day on."""

    user_id: UUID
    plan_id: UUID
    starts_on: date
