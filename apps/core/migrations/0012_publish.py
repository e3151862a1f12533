"""Publishing as a function: PostgreSQL plans it once for a connection instead of at every write."""

from __future__ import annotations

from django.db import migrations

_PUBLISH = """
CREATE FUNCTION core_publish(
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
    )
    INSERT INTO core_eventdelivery (event_sequence, occurred_at, subscriber, aggregate_id, lane)
    SELECT sequence, occurred_at, subscriber, aggregate_id,
           abs(hashtextextended(aggregate_id::text, 0) % lanes)
    FROM happened JOIN unnest(names, listeners) AS listening(name, subscriber) USING (name);
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0011_exchange_rates")]

    operations = [migrations.RunSQL(_PUBLISH, "DROP FUNCTION core_publish")]
