"""Triggers that write the change history."""

from django.db import migrations

from apps.core.history import Watch


class Migration(migrations.Migration):
    dependencies = [("core", "0004_history"), ("forecasts", "0002_guards")]

    operations = [
        Watch("forecastsubmission", "submissions"),
    ]
