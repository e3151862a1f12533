"""Triggers that write the change history."""

from django.db import migrations

from apps.core.history import Watch


class Migration(migrations.Migration):
    dependencies = [("core", "0004_history"), ("activities", "0002_places")]

    operations = [
        Watch(
            "activity",
            "activities",
            leave_out=("data_key_id", "owner_id", "territory_id", "subject_in_bin", "timeline_at"),
        ),
    ]
