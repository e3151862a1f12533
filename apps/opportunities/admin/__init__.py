"""Pages of opportunities and pipelines, and what they add to leads, accounts and the start page."""

from apps.opportunities.admin import (  # noqa: F401  register themselves
    contributions,
    opportunities,
    pipelines,
    start_page,
)
