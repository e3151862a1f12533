"""Most writes tell one event: half the work without the sets that many are told with."""

from __future__ import annotations

from django.db import migrations

# Called instead of selected, it is not planned by whoever calls it.
_PUBLISH_ONE = """
CREATE PROCEDURE core_publish_one(
    event uuid, called text, version text, topic text, about uuid, payload jsonb,
    acting uuid, entrance text, request text, lanes int, listeners text[]
) LANGUAGE plpgsql AS $$
DECLARE
    position bigint;
    moment timestamptz;
BEGIN
    INSERT INTO core_businessevent
        (event_id, name, version, topic, aggregate_id, payload, actor_id, door, correlation_id)
    VALUES (event, called, version, topic, about, payload, acting, entrance, request)
    RETURNING sequence, occurred_at INTO position, moment;
    INSERT INTO core_eventdelivery (event_sequence, occurred_at, subscriber, aggregate_id, lane)
    SELECT position, moment,
           unnest(listeners || ARRAY(
               SELECT subscriber FROM core_eventinterest WHERE event_name = called)),
           about, abs(hashtextextended(about::text, 0) % lanes);
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0014_listening")]

    operations = [migrations.RunSQL(_PUBLISH_ONE, "DROP PROCEDURE core_publish_one")]
