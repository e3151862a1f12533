"""Pages of deals, their files and pipelines, and what they add to leads, accounts and the start."""

from apps.opportunities.admin import (  # noqa: F401  register themselves
    contributions,
    imports,
    opportunities,
    pipelines,
    start_page,
)
