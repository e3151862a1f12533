"""Subscribers that hear only what somebody wants cost nothing until then."""

from __future__ import annotations

from django.db import migrations, models

_PUBLISH = """
CREATE OR REPLACE FUNCTION core_publish(
    told json, acting uuid, entrance text, request text, lanes int, names text[], listeners text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH incoming AS (
        SELECT * FROM json_to_recordset(told) AS t(
            position int, event_id uuid, name text, version text, topic text,
            aggregate_id uuid, payload jsonb)
    ), happened AS (
        INSERT INTO core_businessevent
            (event_id, name, version, topic, aggregate_id, payload,
             actor_id, door, correlation_id)
        SELECT event_id, name, version, topic, aggregate_id, payload, acting, entrance, request
        FROM incoming ORDER BY position
        RETURNING sequence, occurred_at, name, aggregate_id
    ), listening AS (
        SELECT * FROM unnest(names, listeners) AS always(name, subscriber)
        UNION ALL
        SELECT event_name, subscriber FROM core_eventinterest
        WHERE event_name IN (SELECT name FROM incoming)
    )
    INSERT INTO core_eventdelivery (event_sequence, occurred_at, subscriber, aggregate_id, lane)
    SELECT sequence, occurred_at, subscriber, aggregate_id,
           abs(hashtextextended(aggregate_id::text, 0) % lanes)
    FROM happened JOIN listening USING (name);
END $$
"""
_WITHOUT = _PUBLISH.replace(
    """
        UNION ALL
        SELECT event_name, subscriber FROM core_eventinterest
        WHERE event_name IN (SELECT name FROM incoming)""",
    "",
)


class Migration(migrations.Migration):
    dependencies = [("core", "0012_publish")]

    operations = [
        migrations.CreateModel(
            name="EventInterest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("event_name", models.CharField(max_length=100)),
                ("subscriber", models.CharField(max_length=120)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("event_name"), models.F("subscriber"), name="interest_once"
                    )
                ]
            },
        ),
        migrations.RunSQL(_PUBLISH, _WITHOUT),
    ]
