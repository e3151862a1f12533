"""By which numbers contacts are found. Apart from the column, so that contacts can be read by now."""

from django.conf import settings
from django.db import migrations

from apps.core.contact_points import phone_key
from apps.core.encryption.existing import fill_from_encrypted


def _fill(apps, editor):
    fill_from_encrypted(
        apps.get_model("accounts", "Contact"),
        editor,
        source="phone",
        target="phone_key",
        made=lambda phone: phone_key(phone, settings.DEFAULT_COUNTRY),
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_phone_of_contacts")]

    operations = [migrations.RunPython(_fill, migrations.RunPython.noop)]
