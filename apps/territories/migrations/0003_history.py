"""Triggers that write the change history."""

from django.db import migrations

from apps.core.history import Watch


class Migration(migrations.Migration):
    dependencies = [("core", "0004_history"), ("territories", "0002_initial")]

    operations = [
        Watch("territory", "territories", leave_out=("rotation",)),
        Watch("territorymember", "territory_members"),
        Watch("absence", "absences"),
    ]
