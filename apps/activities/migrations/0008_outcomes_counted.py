"""What came of activities stands in clear as far as it is counted; the words stay encrypted."""

from django.db import migrations

from apps.activities.rules import outcome_kind
from apps.core.encryption.existing import fill_from_encrypted
from apps.core.history import Watch


def _fill(apps, editor):
    fill_from_encrypted(
        apps.get_model("activities", "Activity"),
        editor,
        source="outcome",
        target="outcome_kind",
        made=outcome_kind,
    )


class Migration(migrations.Migration):
    dependencies = [("activities", "0007_outcome_kind")]

    operations = [
        Watch(
            "activity",
            "activities",
            leave_out=(
                "data_key_id",
                "owner_id",
                "territory_id",
                "subject_in_bin",
                "timeline_at",
                "outcome_kind",
            ),
            before=("data_key_id", "owner_id", "territory_id", "subject_in_bin", "timeline_at"),
        ),
        migrations.RunPython(_fill, migrations.RunPython.noop),
    ]
