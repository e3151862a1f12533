"""The back office: what every app's pages are made of, and the system's own pages."""

from apps.core.admin import audit, exchange_rates, system  # noqa: F401  register their pages
