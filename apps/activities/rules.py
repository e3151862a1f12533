"""What holds of activities: pure decisions."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from django.db.models import TextChoices

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


class OutcomeKind(TextChoices):
    """What came of an activity, as far as it is counted: what was said in other words is other."""

    CONNECTED = "connected"
    LEFT_VOICEMAIL = "left_voicemail"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    WRONG_NUMBER = "wrong_number"
    REPLIED = "replied"
    BOUNCED = "bounced"
    HELD = "held"
    RESCHEDULED = "rescheduled"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"
    INTERESTED = "interested"
    NOT_INTERESTED = "not_interested"
    OTHER = "other"


_NO_LETTERS = re.compile(r"[^a-z]+")
_SAME = {"canceled": OutcomeKind.CANCELLED, "voicemail": OutcomeKind.LEFT_VOICEMAIL}


def outcome_kind(words: str) -> str:
    """What an outcome counts as, however it is spelt: `No answer.` is `no_answer`. Nothing for
    nothing."""
    if not words.strip():
        return ""
    key = _NO_LETTERS.sub("_", words.lower()).strip("_")
    return _SAME.get(key, key if key in OutcomeKind.values else OutcomeKind.OTHER)
