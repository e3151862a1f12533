"""The journal is kept by month, and deliveries know the month of their event."""

from django.db import migrations, models
from django.db.models.functions import Now

from apps.core.partitions import SplitByMonth

_TELL_WHEN = """
UPDATE core_eventdelivery SET occurred_at = core_businessevent.occurred_at
FROM core_businessevent WHERE sequence = event_sequence
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]

    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.AddField("eventdelivery", "occurred_at", models.DateTimeField(db_default=Now())),
        migrations.RunSQL(_TELL_WHEN, migrations.RunSQL.noop),
        SplitByMonth("businessevent", "occurred_at", unique=("event_id",)),
    ]
