"""Triggers that write the change history."""

from django.db import migrations

from apps.core.history import Watch


class Migration(migrations.Migration):
    dependencies = [("core", "0004_history"), ("leads", "0002_covering_indexes")]

    operations = [
        Watch("lead", "leads", leave_out=("email_key", "phone_key", "company_key", "version")),
    ]
