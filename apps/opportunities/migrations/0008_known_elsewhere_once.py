"""A deal is known by one id in another system; the index is built while people work."""

from __future__ import annotations

from django.db import migrations, models

# One that was broken off would be there and hold for nothing.
_DROP = "DROP INDEX CONCURRENTLY IF EXISTS deal_external_id_once"
_ONCE = """
CREATE UNIQUE INDEX CONCURRENTLY deal_external_id_once
ON opportunities_opportunity (external_id, external_source)
WHERE deleted_at IS NULL AND NOT (external_id = '')
"""


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("opportunities", "0007_imports")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(_DROP, migrations.RunSQL.noop),
                migrations.RunSQL(_ONCE, _DROP),
            ],
            state_operations=[
                migrations.AddConstraint(
                    model_name="opportunity",
                    constraint=models.UniqueConstraint(
                        models.F("external_id"),
                        models.F("external_source"),
                        condition=models.Q(
                            ("deleted_at", None), models.Q(("external_id", ""), _negated=True)
                        ),
                        name="deal_external_id_once",
                    ),
                )
            ],
        ),
    ]
