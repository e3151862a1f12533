"""Turns leave the territories' rows, where each of them woke the change history."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

from apps.core.history import Watch

TAKEN = """
INSERT INTO territories_turn (territory_id, taken)
SELECT id, rotation FROM territories_territory WHERE rotation > 0
"""


class Migration(migrations.Migration):
    dependencies = [("territories", "0003_history")]

    operations = [
        migrations.CreateModel(
            name="Turn",
            fields=[
                (
                    "territory",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="territories.territory",
                    ),
                ),
                ("taken", models.BigIntegerField()),
            ],
        ),
        migrations.RunSQL(TAKEN, migrations.RunSQL.noop),
        migrations.RemoveField("territory", "rotation"),
        Watch("territory", "territories", before=("rotation",)),
    ]
