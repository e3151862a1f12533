"""The change history by month, what writes it, what keeps it as it is, and its seals."""

import django.contrib.postgres.functions
import django.contrib.postgres.indexes
from django.db import migrations, models
from django.db.models.functions import Now

from apps.core.partitions import SplitByMonth

# One function for every table. FULL JOIN, because it can't become a nested loop: the plan is made
# for the first write and serves writes of a hundred thousand rows too.
_NOTE_CHANGES = """
CREATE FUNCTION core_note_changes() RETURNS trigger LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    kind CONSTANT text := TG_ARGV[0];
    left_out CONSTANT text[] := TG_ARGV[1];
    acting CONSTANT uuid := nullif(current_setting('salesplatform.actor_id', true), '');
    door CONSTANT text := coalesce(current_setting('salesplatform.door', true), '');
    request CONSTANT text := coalesce(current_setting('salesplatform.request_id', true), '');
    number CONSTANT bigint := pg_current_xact_id()::text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO core_change
            (kind, row_id, action, after, actor_id, door, request_id, transaction_number)
        SELECT kind, n.id, 'made', jsonb_strip_nulls(to_jsonb(n) - left_out),
               acting, door, request, number
        FROM new_rows AS n;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO core_change
            (kind, row_id, action, before, actor_id, door, request_id, transaction_number)
        SELECT kind, o.id, 'removed', jsonb_strip_nulls(to_jsonb(o) - left_out),
               acting, door, request, number
        FROM old_rows AS o;
    ELSE
        INSERT INTO core_change
            (kind, row_id, action, before, after, actor_id, door, request_id, transaction_number)
        SELECT kind, coalesce(n.id, o.id),
               CASE WHEN o.id IS NULL THEN 'made' WHEN n.id IS NULL THEN 'removed'
                    ELSE 'changed' END,
               different.before, different.after, acting, door, request, number
        FROM old_rows AS o FULL JOIN new_rows AS n USING (id)
        CROSS JOIN LATERAL (
            SELECT jsonb_object_agg(key, before) FILTER (WHERE key IS NOT NULL) AS before,
                   jsonb_object_agg(same, after) FILTER (WHERE same IS NOT NULL) AS after
            FROM ROWS FROM (jsonb_each(to_jsonb(o) - left_out), jsonb_each(to_jsonb(n) - left_out))
                 AS t(key, before, same, after)
            WHERE before IS DISTINCT FROM after
        ) AS different
        WHERE coalesce(different.before, different.after) IS NOT NULL;
    END IF;
    RETURN NULL;
END $$
"""

# Digests are of what is stored, in a form that no setting of a session changes.
_DIGESTS = """
CREATE FUNCTION core_digest_of_values(change core_change) RETURNS bytea
LANGUAGE sql STABLE RETURN coalesce((change).digest, sha256(convert_to(jsonb_build_array(
    (change).salt, (change).before, (change).after)::text, 'UTF8')));

CREATE FUNCTION core_digest_of_change(change core_change) RETURNS bytea
LANGUAGE sql STABLE RETURN sha256(convert_to(jsonb_build_array(
    (change).sequence, extract(epoch FROM (change).changed_at), (change).transaction_number,
    (change).kind, (change).row_id, (change).action, (change).actor_id, (change).door,
    (change).request_id, encode(core_digest_of_values(change), 'hex'))::text, 'UTF8'))
"""

_GUARDS = """
CREATE FUNCTION core_written_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME LIKE '%\\_default'
       AND current_setting('salesplatform.makes_month', true) = 'yes' THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'TRUNCATE' AND current_setting('salesplatform.may_truncate', true) = 'yes' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is written once', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION core_erased_alone() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    erased core_change := OLD;
BEGIN
    erased.digest := core_digest_of_values(OLD);
    erased.before := NULL;
    erased.after := NULL;
    erased.salt := NULL;
    erased.erased_at := NEW.erased_at;
    IF OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL AND NEW IS NOT DISTINCT FROM erased THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is written once', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER written_once BEFORE DELETE ON core_change
    FOR EACH ROW EXECUTE FUNCTION core_written_once();
CREATE TRIGGER erased_alone BEFORE UPDATE ON core_change
    FOR EACH ROW EXECUTE FUNCTION core_erased_alone();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON core_change
    FOR EACH STATEMENT EXECUTE FUNCTION core_written_once();
CREATE TRIGGER written_once BEFORE UPDATE OR DELETE ON core_seal
    FOR EACH ROW EXECUTE FUNCTION core_written_once();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON core_seal
    FOR EACH STATEMENT EXECUTE FUNCTION core_written_once()
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0003_retention")]

    operations = [
        migrations.CreateModel(
            name='Change',
            fields=[
                ('sequence', models.BigAutoField(primary_key=True, serialize=False)),
                ('changed_at', models.DateTimeField(db_default=Now())),
                ('kind', models.CharField(max_length=50)),
                ('row_id', models.UUIDField()),
                ('action', models.CharField(choices=[('made', 'Made'), ('changed', 'Changed'), ('removed', 'Removed'), ('erased', 'Erased')], max_length=10)),
                ('before', models.JSONField(null=True)),
                ('after', models.JSONField(null=True)),
                ('actor_id', models.UUIDField(null=True)),
                ('door', models.CharField(max_length=20)),
                ('request_id', models.CharField(max_length=128)),
                ('transaction_number', models.BigIntegerField(editable=False)),
                ('salt', models.UUIDField(db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, null=True)),
                ('erased_at', models.DateTimeField(null=True)),
                ('digest', models.BinaryField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['row_id', 'sequence'], name='change_by_row'), models.Index(fields=['kind', 'sequence'], name='change_by_kind'), models.Index(fields=['actor_id', 'sequence'], name='change_by_actor'), django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['transaction_number'], name='change_unsealed')],
            },
        ),
        migrations.CreateModel(
            name='Seal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('table', models.CharField(max_length=63)),
                ('month', models.DateField()),
                ('number', models.IntegerField()),
                ('from_transaction', models.BigIntegerField()),
                ('until_transaction', models.BigIntegerField()),
                ('rows', models.BigIntegerField()),
                ('first_sequence', models.BigIntegerField()),
                ('last_sequence', models.BigIntegerField()),
                ('sealed_at', models.DateTimeField(db_default=Now())),
                ('digest', models.BinaryField()),
                ('chain', models.BinaryField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(models.F('table'), models.F('month'), models.F('number'), name='seal_once')],
            },
        ),
        SplitByMonth("change", "changed_at"),
        migrations.RunSQL(_NOTE_CHANGES, migrations.RunSQL.noop),
        migrations.RunSQL(_DIGESTS, migrations.RunSQL.noop),
        migrations.RunSQL(_GUARDS, migrations.RunSQL.noop),
    ]
