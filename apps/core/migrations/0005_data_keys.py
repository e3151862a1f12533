"""The keys under which personal data is encrypted."""

import django.utils.timezone
from django.db import migrations, models

import apps.core.identifiers


class Migration(migrations.Migration):
    dependencies = [("core", "0004_history")]

    operations = [
        migrations.CreateModel(
            name="DataKey",
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
                ("wrapped", models.BinaryField(null=True)),
                ("destroyed_at", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(wrapped__isnull=False, destroyed_at=None)
                        | models.Q(wrapped=None, destroyed_at__isnull=False),
                        name="data_key_there_or_destroyed",
                    )
                ]
            },
        ),
    ]
