"""What happens to quotas (sales-system-integrations, Quota Events)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from apps.core.events import event

TOPIC = "sales.quotas"


@event("quota.set", topic=TOPIC, about="quota_id")
@dataclass(frozen=True, kw_only=True)
class QuotaSet:
    """A person or territory got a quota."""

    quota_id: UUID
    user_id: UUID | None
    territory_id: UUID | None
    period: str
    quota_type: str
    amount: Decimal
    currency: str


@event("quota.updated", topic=TOPIC, about="quota_id")
@dataclass(frozen=True, kw_only=True)
class QuotaUpdated:
    """A quota became another amount."""

    quota_id: UUID
    user_id: UUID | None
    territory_id: UUID | None
    period: str
    quota_type: str
    amount: Decimal
    previous_amount: Decimal
    currency: str


@event("quota.attained", topic=TOPIC, about="quota_id")
@dataclass(frozen=True, kw_only=True)
class QuotaAttained:
    """What is credited to a quota came to all of it, for the first time."""

    quota_id: UUID
    user_id: UUID | None
    territory_id: UUID | None
    period: str
    quota_type: str
    amount: Decimal
    attainment_amount: Decimal
    currency: str
