"""What happens to partners and the inbox. Nobody outside hears of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.core.events import event

TOPIC = "sales.inbox"


@event("inbox.received", topic=TOPIC, about="message_id")
@dataclass(frozen=True, kw_only=True)
class MessageReceived:
    """A message of a partner is there to be handled, for the first time or again."""

    message_id: UUID
    partner: str
    type: str


@event("partner.added", topic=TOPIC, about="partner_id")
@dataclass(frozen=True, kw_only=True)
class PartnerAdded:
    """Another system may tell us things."""

    partner_id: UUID
    key: str
    kind: str
    client_id: UUID


@event("partner.rotated", topic=TOPIC, about="partner_id")
@dataclass(frozen=True, kw_only=True)
class PartnerSecretRotated:
    """A partner got a fresh secret; the former one works on for a while."""

    partner_id: UUID
    former_until: datetime


@event("partner.paused", topic=TOPIC, about="partner_id")
@dataclass(frozen=True, kw_only=True)
class PartnerStopped:
    """A partner's messages wait outside."""

    partner_id: UUID


@event("partner.resumed", topic=TOPIC, about="partner_id")
@dataclass(frozen=True, kw_only=True)
class PartnerResumed:
    """A partner's messages are taken in again."""

    partner_id: UUID
