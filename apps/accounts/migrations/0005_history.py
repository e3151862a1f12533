"""Triggers that write the change history."""

from django.db import migrations

from apps.core.history import Watch


class Migration(migrations.Migration):
    dependencies = [("core", "0004_history"), ("accounts", "0004_contact_bin")]

    operations = [
        Watch("account", "accounts", leave_out=("account_key", "version")),
        Watch("contact", "contacts", leave_out=("email_key",)),
    ]
