"""What is refused about forecasts."""

from __future__ import annotations

from apps.core.errors import NotAllowed, RuleBroken


class NotAbove(NotAllowed):
    """Nobody adjusts their own forecast, nor one of somebody they don't lead."""

    reason = "not_above"
    message = "Only somebody above in the reporting line, or who manages the territory, adjusts it."


class PeriodEnded(RuleBroken):
    """What a period that is over came to is known, and nobody's forecast any more."""

    reason = "period_ended"
    message = "The period has ended."
