"""Who listens is looked up event by event: a fifth less work for the one event that most write."""

from __future__ import annotations

from importlib import import_module

from django.db import migrations

_BEFORE = import_module("apps.core.migrations.0013_interest")._PUBLISH
_PUBLISH = """
CREATE OR REPLACE FUNCTION core_publish(
    told json, acting uuid, entrance text, request text, lanes int, names text[], listeners text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH happened AS (
        INSERT INTO core_businessevent
            (event_id, name, version, topic, aggregate_id, payload,
             actor_id, door, correlation_id)
        SELECT event_id, name, version, topic, aggregate_id, payload, acting, entrance, request
        FROM json_to_recordset(told) AS t(
            position int, event_id uuid, name text, version text, topic text,
            aggregate_id uuid, payload jsonb)
        ORDER BY position
        RETURNING sequence, occurred_at, name, aggregate_id
    )
    INSERT INTO core_eventdelivery (event_sequence, occurred_at, subscriber, aggregate_id, lane)
    SELECT sequence, occurred_at, subscriber, aggregate_id,
           abs(hashtextextended(aggregate_id::text, 0) % lanes)
    FROM happened, LATERAL (
        SELECT subscriber FROM unnest(names, listeners) AS always(name, subscriber)
        WHERE always.name = happened.name
        UNION ALL
        SELECT subscriber FROM core_eventinterest WHERE event_name = happened.name
    ) AS listening;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0013_interest")]

    operations = [migrations.RunSQL(_PUBLISH, _BEFORE)]
