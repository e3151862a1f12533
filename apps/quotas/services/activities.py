"""Counting completed activities, for whoever did them and for the territory they lie in."""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.quotas.rules import QuotaType
from apps.quotas.selectors.attainment import MISCOUNTS
from apps.quotas.services.attaining import tell_attained

# What others write meanwhile is neither seen nor taken: it is counted the next time.
_COUNT = """
WITH news AS (
    DELETE FROM quotas_activitynews RETURNING holder_id, completed_at, count
), days AS (
    SELECT holder_id, (completed_at AT TIME ZONE %(zone)s)::date AS day, sum(count) AS count
    FROM news GROUP BY 1, 2 HAVING sum(count) <> 0
)
INSERT INTO quotas_activitycount AS known (holder_id, day, count)
SELECT holder_id, day, count FROM days ORDER BY 1, 2
ON CONFLICT (holder_id, day) DO UPDATE SET count = known.count + excluded.count
RETURNING holder_id, day
"""
# Noon lies on its day, whatever the clocks do there.
_CORRECT = f"""
INSERT INTO quotas_activitynews (holder_id, completed_at, count)
SELECT holder_id, (day + time '12:00') AT TIME ZONE %(zone)s, due - held
FROM ({MISCOUNTS}) AS wrong
"""


@command
def count_activities(*, actor: Actor) -> int:
    """Count the activities that were completed, moved or deleted since the last time.

    Doing it again changes nothing. Returns how many days of people and territories changed.
    """
    take_turn("count of activities")
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"zone": settings.ORGANISATION_TIME_ZONE})
        changed = cursor.fetchall()
    if changed:
        holder_ids, days = map(set, zip(*changed, strict=True))
        tell_attained(holder_ids, types=[QuotaType.ACTIVITIES], days=days, actor=actor)
    return len(changed)


@command
def recount_activities(*, actor: Actor) -> int:
    """Make the count what the activities say, as after the organisation moved to another time
    zone.

    Returns how many days of people and territories changed.
    """
    take_turn("count of activities")
    with connection.cursor() as cursor:
        cursor.execute(_CORRECT, {"zone": settings.ORGANISATION_TIME_ZONE})
    return count_activities(actor=actor)
