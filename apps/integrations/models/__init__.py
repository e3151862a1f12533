"""What is kept of other systems: what they say, and what is sent to them."""

from apps.integrations.models.inbox import InboundMessage, Partner, PartnerLine
from apps.integrations.models.webhooks import WebhookDelivery, WebhookLine, WebhookTarget

__all__ = [
    "InboundMessage",
    "Partner",
    "PartnerLine",
    "WebhookDelivery",
    "WebhookLine",
    "WebhookTarget",
]
