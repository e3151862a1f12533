"""What holds of activities: pure decisions."""

from __future__ import annotations

from datetime import datetime, timedelta

# Clocks of those who tell us are not ours.
CLOCKS_DIFFER_BY = timedelta(minutes=5)
LONGEST_MINUTES = 60 * 24 * 31
# Work that is noted down to be done, not because it was.
TO_DO = "task"


def done_at(
    *,
    type_: str,
    scheduled_at: datetime | None,
    completed_at: datetime | None,
    now: datetime,
) -> datetime | None:
    """When a new activity was done; None where it is still to be done.

    What nobody gave a moment has just happened, unless it is a task.
    """
    if completed_at is not None:
        return completed_at
    return None if scheduled_at is not None or type_ == TO_DO else now


def lies_ahead(moment: datetime, now: datetime) -> bool:
    """Whether nothing can have been done then yet."""
    return moment > now + CLOCKS_DIFFER_BY
