"""Pages of leads, of their imports, and what they add to the start page."""

from apps.leads.admin import imports, leads, start_page  # noqa: F401  register themselves
