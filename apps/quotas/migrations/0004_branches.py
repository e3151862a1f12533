"""Who stands below and above a person or territory, and an index that tells overlays apart."""

from __future__ import annotations

from django.db import migrations, models

_BRANCHES = """
CREATE FUNCTION quotas_below(holder uuid) RETURNS uuid[] LANGUAGE sql STABLE AS $$
    WITH RECURSIVE below(id) AS (
        SELECT holder
        UNION
        SELECT child.id FROM below CROSS JOIN LATERAL (
            SELECT u.id FROM users_user u WHERE u.manager_id = below.id
            UNION ALL
            SELECT t.id FROM territories_territory t WHERE t.parent_territory_id = below.id
        ) AS child
    )
    SELECT array_agg(id) FROM below
$$;

CREATE FUNCTION quotas_above(holders uuid[]) RETURNS uuid[] LANGUAGE sql STABLE AS $$
    WITH RECURSIVE above(id) AS (
        SELECT unnest(holders)
        UNION
        SELECT parent.id FROM above CROSS JOIN LATERAL (
            SELECT u.manager_id AS id FROM users_user u WHERE u.id = above.id
            UNION ALL
            SELECT t.parent_territory_id FROM territories_territory t WHERE t.id = above.id
        ) AS parent
        WHERE parent.id IS NOT NULL
    )
    SELECT array_agg(id) FROM above
$$
"""
_GONE = "DROP FUNCTION quotas_below; DROP FUNCTION quotas_above"


class Migration(migrations.Migration):
    dependencies = [
        ("quotas", "0003_allocation"),
        ("territories", "0004_turns"),
        ("users", "0007_time_zone_of_the_organisation"),
    ]

    operations = [
        migrations.RunSQL(_BRANCHES, _GONE),
        migrations.RemoveIndex("quotacredit", "credit_of_holder"),
        migrations.AddIndex(
            "quotacredit",
            models.Index(
                fields=["holder_id", "closed_on"],
                include=["converted", "deals", "kind"],
                name="credit_of_holder",
            ),
        ),
    ]
