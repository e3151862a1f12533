"""What happens to the targets of webhooks. Nobody outside hears of it, but of a test its target."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.core.events import event

TOPIC = "sales.webhooks"


@event("webhook.added", topic=TOPIC, about="target_id")
@dataclass(frozen=True, kw_only=True)
class WebhookTargetAdded:
    """Somebody said where events are sent."""

    target_id: UUID
    event_types: tuple[str, ...]


@event("webhook.changed", topic=TOPIC, about="target_id")
@dataclass(frozen=True, kw_only=True)
class WebhookTargetChanged:
    """A target's name, URL or events changed."""

    target_id: UUID
    changed: tuple[str, ...]


@event("webhook.rotated", topic=TOPIC, about="target_id")
@dataclass(frozen=True, kw_only=True)
class WebhookSecretRotated:
    """A target got a fresh secret; the former one signs beside it for a while."""

    target_id: UUID
    former_until: datetime


@event("webhook.paused", topic=TOPIC, about="target_id")
@dataclass(frozen=True, kw_only=True)
class WebhookTargetPaused:
    """Nothing is sent to a target any more: by hand, or because it is `gone` or `failing`."""

    target_id: UUID
    because: str


@event("webhook.resumed", topic=TOPIC, about="target_id")
@dataclass(frozen=True, kw_only=True)
class WebhookTargetResumed:
    """What waited for a target is sent to it again."""

    target_id: UUID


@event("webhook.removed", topic=TOPIC, about="target_id")
@dataclass(frozen=True, kw_only=True)
class WebhookTargetRemoved:
    """A target was removed, with what waited for it."""

    target_id: UUID


@event("webhook.tested", topic=TOPIC, about="target_id")
@dataclass(frozen=True, kw_only=True)
class WebhookTargetTested:
    """Somebody wants to see that a target hears: it is the one that gets this event."""

    target_id: UUID
