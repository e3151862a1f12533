"""What mail and telephony said of directions stands in clear, where it is counted."""

from django.db import migrations

from apps.core.encryption.existing import fill_from_encrypted


def _fill(apps, editor):
    fill_from_encrypted(
        apps.get_model("activities", "Activity"),
        editor,
        source="metadata",
        target="direction",
        made=_direction,
        where="t.type IN ('email', 'call')",
    )


def _direction(metadata):
    told = metadata.get("direction")
    return told if told in ("inbound", "outbound") else ""


class Migration(migrations.Migration):
    dependencies = [("activities", "0005_direction")]

    operations = [migrations.RunPython(_fill, migrations.RunPython.noop)]
