"""What activities hold of people: words about them, under their key."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from apps.activities.models import Activity
from apps.core.personal_data import Holding, holds


def _idle(before: datetime) -> Q:
    """What was neither changed nor done, nor is to be done, since a moment."""
    return Q(updated_at__lt=before, timeline_at__lt=before)


ACTIVITY_PEOPLE = holds(Holding("activities", Activity, emptied={}, idle=_idle))
