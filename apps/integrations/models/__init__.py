"""What is kept of other systems and what they say."""

from apps.integrations.models.inbox import InboundMessage, Partner

__all__ = ["InboundMessage", "Partner"]
