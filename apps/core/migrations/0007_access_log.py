"""The access log of personal data by month, written once, and its digest."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models

import apps.core.models
from apps.core.partitions import SplitByMonth

_DIGEST = """
CREATE FUNCTION core_digest_of_access(access core_access) RETURNS bytea
LANGUAGE sql STABLE RETURN sha256(convert_to(jsonb_build_array(
    (access).sequence, extract(epoch FROM (access).read_at), (access).transaction_number,
    (access).actor_id, (access).door, (access).request_id, (access).kind, (access).reading
)::text, 'UTF8') || array_send((access).row_ids))
"""

_GUARDS = """
CREATE TRIGGER written_once BEFORE UPDATE OR DELETE ON core_access
    FOR EACH ROW EXECUTE FUNCTION core_written_once();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON core_access
    FOR EACH STATEMENT EXECUTE FUNCTION core_written_once()
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0006_consent")]

    operations = [
        migrations.CreateModel(
            name="Access",
            fields=[
                ("sequence", models.BigAutoField(primary_key=True, serialize=False)),
                ("read_at", models.DateTimeField()),
                ("actor_id", models.UUIDField()),
                ("door", models.CharField(max_length=20)),
                ("request_id", models.CharField(max_length=128)),
                ("kind", models.CharField(max_length=50)),
                (
                    "reading",
                    models.CharField(
                        choices=[
                            ("listed", "Listed"),
                            ("shown", "Shown"),
                            ("exported", "Exported"),
                            ("history", "History"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "row_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), size=None
                    ),
                ),
                (
                    "transaction_number",
                    models.BigIntegerField(
                        db_default=apps.core.models.TransactionNumber(), editable=False
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "accesses",
                "indexes": [
                    models.Index(fields=["actor_id", "sequence"], name="access_by_actor"),
                    django.contrib.postgres.indexes.BrinIndex(
                        autosummarize=True,
                        fields=["transaction_number", "read_at"],
                        name="access_by_time",
                    ),
                ],
            },
        ),
        SplitByMonth("access", "read_at"),
        migrations.RunSQL(_DIGEST, migrations.RunSQL.noop),
        migrations.RunSQL(_GUARDS, migrations.RunSQL.noop),
    ]
