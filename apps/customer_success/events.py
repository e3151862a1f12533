"""What happens to customers, as far as it matters to their deals. Titles are looked up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.accounts.events import TOPIC
from apps.core.events import event


@event("account.health_changed", topic=TOPIC, about="account_id")
@dataclass(frozen=True, kw_only=True)
class AccountHealthChanged:
    """The health of an account is on another level than it was; at first there is none before."""

    account_id: UUID
    level: str
    previous_level: str
    score: int
    previous_score: int | None
    partner: str
    as_of: datetime


@event("account.critical_ticket_opened", topic=TOPIC, about="account_id")
@dataclass(frozen=True, kw_only=True)
class CriticalTicketOpened:
    """A ticket of an account is open and critical, be it new or not."""

    account_id: UUID
    ticket_id: UUID
    partner: str
    external_id: str
    as_of: datetime


@event("account.critical_ticket_closed", topic=TOPIC, about="account_id")
@dataclass(frozen=True, kw_only=True)
class CriticalTicketClosed:
    """A ticket of an account is solved, no longer critical, or another account's."""

    account_id: UUID
    ticket_id: UUID
    partner: str
    external_id: str
    as_of: datetime


NEWS_OF_CUSTOMERS = (AccountHealthChanged, CriticalTicketOpened, CriticalTicketClosed)
