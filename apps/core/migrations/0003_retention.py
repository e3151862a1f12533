"""For how long what is kept becomes data, and the clock forgets a task that is no more."""

import django.utils.timezone
from django.db import migrations, models

import apps.core.identifiers

_FORGET_THE_TASK = """
DO $$ BEGIN
    IF to_regclass('django_celery_beat_periodictask') IS NOT NULL THEN
        DELETE FROM django_celery_beat_periodictask
        WHERE task = 'apps.core.tasks.forget_old_idempotency_keys';
    END IF;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0002_journal_by_month")]

    operations = [
        migrations.CreateModel(
            name="RetentionRule",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.identifiers.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("name", models.CharField(max_length=100)),
                ("days", models.IntegerField(blank=True, null=True)),
                ("effective_from", models.DateTimeField()),
                ("set_by_id", models.UUIDField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint("name", "effective_from", name="retention_rule_once"),
                    models.CheckConstraint(
                        condition=models.Q(days=None) | models.Q(days__gte=1, days__lte=36_500),
                        name="retention_rule_days",
                    ),
                ],
            },
        ),
        migrations.RunSQL(_FORGET_THE_TASK, migrations.RunSQL.noop),
    ]
