"""What forecasts forget: what stood only for hours, and what nobody looks up any more."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.db.models.functions import TruncDate

from apps.core.models import Job
from apps.core.periods import organisation_day
from apps.core.retention import Due, Rows, forgets
from apps.forecasts.models import ForecastSnapshot, NightlyRun
from apps.forecasts.rules import Occasion

# Where clocks go back.
LONGEST_DAY = timedelta(hours=25)


@forgets(
    "forecasts.passing_snapshots",
    "Forecasts computed when a deal changed that did not stand at the end of their day",
    days=1,
)
def passing_snapshots(before: datetime) -> Due:
    """Superseded forecasts of days that are over, other than the last of its day.

    What was computed at night or on request stays, and so does all of today.
    """
    zone = ZoneInfo(settings.ORGANISATION_TIME_ZONE)
    over = datetime.combine(organisation_day(before + timedelta(days=1)), time(), zone)
    day = TruncDate("taken_at", tzinfo=zone)
    later_that_day = ForecastSnapshot.objects.alias(day=day).filter(
        node_id=OuterRef("node_id"),
        period=OuterRef("period"),
        day=OuterRef("day"),
        taken_at__gt=OuterRef("taken_at"),
        taken_at__lt=OuterRef("taken_at") + LONGEST_DAY,
    )
    superseded = ForecastSnapshot.objects.filter(
        kind=Occasion.EVENT, is_current=False, taken_at__lt=over
    )
    return Rows(superseded.alias(day=day).filter(Exists(later_that_day)))


@forgets("forecasts.nightly_runs", "Notes of nightly runs that have ended", days=90)
def old_nightly_runs(before: datetime) -> Due:
    """Runs of long ago; their forecasts stay."""
    return Rows(
        NightlyRun.objects.filter(day__lt=organisation_day(before), job__status__in=Job.ENDED)
    )
