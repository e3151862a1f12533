"""Completed activities are counted by day: a trigger notes whatever changes what counts."""

from django.db import migrations, models

_NOTE = """
CREATE FUNCTION quotas_note_activity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE') AND OLD.completed_at IS NOT NULL
        AND OLD.deleted_at IS NULL AND NOT OLD.subject_in_bin
    THEN
        INSERT INTO quotas_activitynews (holder_id, completed_at, count)
        SELECT holder, OLD.completed_at, -1
        FROM unnest(ARRAY[OLD.user_id, OLD.territory_id]) AS holder WHERE holder IS NOT NULL;
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') AND NEW.completed_at IS NOT NULL
        AND NEW.deleted_at IS NULL AND NOT NEW.subject_in_bin
    THEN
        INSERT INTO quotas_activitynews (holder_id, completed_at, count)
        SELECT holder, NEW.completed_at, 1
        FROM unnest(ARRAY[NEW.user_id, NEW.territory_id]) AS holder WHERE holder IS NOT NULL;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER quotas_note_new AFTER INSERT ON activities_activity
    FOR EACH ROW WHEN (NEW.completed_at IS NOT NULL)
    EXECUTE FUNCTION quotas_note_activity();
CREATE TRIGGER quotas_note_change
    AFTER UPDATE OF completed_at, user_id, territory_id, deleted_at, subject_in_bin
    ON activities_activity
    FOR EACH ROW WHEN (
        OLD.completed_at IS DISTINCT FROM NEW.completed_at OR OLD.user_id <> NEW.user_id
        OR OLD.territory_id IS DISTINCT FROM NEW.territory_id
        OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at
        OR OLD.subject_in_bin <> NEW.subject_in_bin)
    EXECUTE FUNCTION quotas_note_activity();
CREATE TRIGGER quotas_note_gone AFTER DELETE ON activities_activity
    FOR EACH ROW WHEN (OLD.completed_at IS NOT NULL)
    EXECUTE FUNCTION quotas_note_activity();
"""
# What was completed before there were triggers, for the first beat to count.
_NOTE_EARLIER = """
INSERT INTO quotas_activitynews (holder_id, completed_at, count)
SELECT holder, a.completed_at, 1
FROM activities_activity a
CROSS JOIN LATERAL unnest(ARRAY[a.user_id, a.territory_id]) AS holder
WHERE a.completed_at IS NOT NULL AND a.deleted_at IS NULL AND NOT a.subject_in_bin
  AND holder IS NOT NULL;
"""
_FORGET = """
DROP TRIGGER quotas_note_gone ON activities_activity;
DROP TRIGGER quotas_note_change ON activities_activity;
DROP TRIGGER quotas_note_new ON activities_activity;
DROP FUNCTION quotas_note_activity();
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0004_communications"), ("quotas", "0005_day_of_credits")]

    operations = [
        migrations.CreateModel(
            name="ActivityCount",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("holder_id", models.UUIDField()),
                ("day", models.DateField()),
                ("count", models.IntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("holder_id", "day"), include=("count",), name="activity_count_of_day"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ActivityNews",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("holder_id", models.UUIDField()),
                ("completed_at", models.DateTimeField()),
                ("count", models.IntegerField()),
            ],
            options={"verbose_name_plural": "activity news"},
        ),
        migrations.RunSQL(_NOTE, _FORGET),
        migrations.RunSQL(_NOTE_EARLIER, migrations.RunSQL.noop),
    ]
