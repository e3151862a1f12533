"""Pages of other systems: what they say, and what is sent to them."""

from apps.integrations.admin import inbox, partners, webhooks

__all__ = ["inbox", "partners", "webhooks"]
