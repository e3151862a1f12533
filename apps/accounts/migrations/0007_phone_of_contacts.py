"""Contacts are found by their phone numbers too, which stay encrypted."""

from django.db import migrations, models

from apps.core.history import Watch


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_encrypted")]

    operations = [
        migrations.AddField(
            "contact",
            "phone_key",
            models.CharField(blank=True, default="", editable=False, max_length=20),
            preserve_default=False,
        ),
        Watch(
            "contact",
            "contacts",
            leave_out=("data_key_id", "email_key", "phone_key"),
            before=("data_key_id", "email_key"),
        ),
    ]
