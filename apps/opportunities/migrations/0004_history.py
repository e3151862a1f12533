"""Triggers that write the change history."""

from django.db import migrations

from apps.core.history import Watch


class Migration(migrations.Migration):
    dependencies = [("core", "0004_history"), ("opportunities", "0003_covering_indexes")]

    operations = [
        Watch("pipeline", "pipelines"),
        Watch("stage", "stages"),
        Watch("opportunity", "opportunities", leave_out=("version",)),
        Watch("opportunityline", "opportunity_lines"),
    ]
