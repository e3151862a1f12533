"""What is refused about forecasts."""

from __future__ import annotations

from apps.core.errors import NotAllowed


class NotAbove(NotAllowed):
    """Nobody adjusts their own forecast, nor one of somebody they don't lead."""

    reason = "not_above"
    message = "Only somebody above in the reporting line, or who manages the territory, adjusts it."
