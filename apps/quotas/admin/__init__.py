"""Pages of quotas, and of how a year is planned."""

from apps.quotas.admin import quotas  # noqa: F401  registers itself
