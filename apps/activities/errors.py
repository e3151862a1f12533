"""What is refused about activities."""

from __future__ import annotations

from apps.core.errors import Conflict


class ActivityAlreadyCompleted(Conflict):
    """What is done is done once."""

    reason = "activity_already_completed"
    message = "The activity is completed already."
