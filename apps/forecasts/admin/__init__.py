"""Pages of forecasts, and what they add to the start page."""

from apps.forecasts.admin import accuracy, finance, forecasts, judgements, start_page  # noqa: F401  register themselves
