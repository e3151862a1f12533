"""What happens to partners, the inbox and webhooks. Nobody outside hears of it, but of a test its
target."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.core.events import event

INBOX = "sales.inbox"
WEBHOOKS = "sales.webhooks"


@event("inbox.received", topic=INBOX, about="message_id")
@dataclass(frozen=True, kw_only=True)
class MessageReceived:
    """A message of a partner is there to be handled, for the first time or again."""

    message_id: UUID
    partner: str
    type: str


@event("partner.added", topic=INBOX, about="partner_id")
@dataclass(frozen=True, kw_only=True)
class PartnerAdded:
    """Another system may tell us things."""

    partner_id: UUID
    key: str
    kind: str
    client_id: UUID


@event("partner.rotated", topic=INBOX, about="partner_id")
@dataclass(frozen=True, kw_only=True)
class PartnerSecretRotated:
    """A partner got a fresh secret; the former one works on for a while."""

    partner_id: UUID
    former_until: datetime


@event("partner.paused", topic=INBOX, about="partner_id")
@dataclass(frozen=True, kw_only=True)
class PartnerStopped:
    """A partner's messages wait outside."""

    partner_id: UUID


@event("partner.connected", topic=INBOX, about="partner_id")
@dataclass(frozen=True, kw_only=True)
class PartnerConnected:
    """Somebody said where a partner can be asked; without `base_url` it is asked no more."""

    partner_id: UUID
    base_url: str


@event("partner.resumed", topic=INBOX, about="partner_id")
@dataclass(frozen=True, kw_only=True)
class PartnerResumed:
    """A partner's messages are taken in again."""

    partner_id: UUID


@event("webhook.added", topic=WEBHOOKS, about="target_id")
@dataclass(frozen=True, kw_only=True)
class WebhookTargetAdded:
    """Somebody said where events are sent."""

    target_id: UUID
    event_types: tuple[str, ...]


@event("webhook.changed", topic=WEBHOOKS, about="target_id")
@dataclass(frozen=True, kw_only=True)
class WebhookTargetChanged:
    """A target's name, URL or events changed."""

    target_id: UUID
    changed: tuple[str, ...]


@event("webhook.rotated", topic=WEBHOOKS, about="target_id")
@dataclass(frozen=True, kw_only=True)
class WebhookSecretRotated:
    """A target got a fresh secret; the former one signs beside it for a while."""

    target_id: UUID
    former_until: datetime


@event("webhook.paused", topic=WEBHOOKS, about="target_id")
@dataclass(frozen=True, kw_only=True)
class WebhookTargetPaused:
    """Nothing is sent to a target any more: by hand, or because it is `gone` or `failing`."""

    target_id: UUID
    because: str


@event("webhook.resumed", topic=WEBHOOKS, about="target_id")
@dataclass(frozen=True, kw_only=True)
class WebhookTargetResumed:
    """What waited for a target is sent to it again."""

    target_id: UUID


@event("webhook.removed", topic=WEBHOOKS, about="target_id")
@dataclass(frozen=True, kw_only=True)
class WebhookTargetRemoved:
    """A target was removed, with what waited for it."""

    target_id: UUID


@event("webhook.tested", topic=WEBHOOKS, about="target_id")
@dataclass(frozen=True, kw_only=True)
class WebhookTargetTested:
    """Somebody wants to see that a target hears: it is the one that gets this event."""

    target_id: UUID
