"""Contacts are found by their phone numbers too, which stay encrypted."""

from django.conf import settings
from django.db import migrations, models

from apps.core.contact_points import phone_key
from apps.core.encryption.existing import fill_from_encrypted
from apps.core.history import Watch


def _fill(apps, editor):
    fill_from_encrypted(
        apps.get_model("accounts", "Contact"),
        editor,
        source="phone",
        target="phone_key",
        made=lambda phone: phone_key(phone, settings.DEFAULT_COUNTRY),
    )


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
        migrations.RunPython(_fill, migrations.RunPython.noop),
    ]
