"""Idempotency keys are held by locks while their work goes on, and kept with its outcome."""

from __future__ import annotations

from django.db import migrations, models
from django.core.serializers.json import DjangoJSONEncoder

UNFINISHED = "DELETE FROM core_idempotencykey WHERE status IS NULL OR answer IS NULL"


class Migration(migrations.Migration):
    dependencies = [("core", "0008_erasing_in_detached_months")]

    operations = [
        migrations.RunSQL(UNFINISHED, migrations.RunSQL.noop),
        migrations.RemoveField("idempotencykey", "claimed_until"),
        migrations.AlterField("idempotencykey", "status", models.SmallIntegerField()),
        migrations.AlterField(
            "idempotencykey", "answer", models.JSONField(encoder=DjangoJSONEncoder)
        ),
    ]
