"""Pages of activities, and what activities add to those of leads, deals and accounts."""

from apps.activities.admin import activities, contributions  # noqa: F401  register themselves
