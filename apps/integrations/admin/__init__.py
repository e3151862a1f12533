"""Pages of other systems and of what they say."""

from apps.integrations.admin import inbox, partners

__all__ = ["inbox", "partners"]
