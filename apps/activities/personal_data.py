"""What activities hold of people: words about them, under their key."""

from __future__ import annotations

from apps.activities.models import Activity
from apps.core.personal_data import Holding, holds

ACTIVITY_PEOPLE = holds(Holding("activities", Activity, emptied={}))
