"""Who sees what an activity is about sees the activity: the database keeps the two alike.

A lead that was folded into another lies where that one lies.
"""

from django.db import migrations

_FOLLOW = """
CREATE FUNCTION activities_follow_deal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE activities_activity
    SET owner_id = NEW.owner_id, territory_id = NEW.territory_id,
        subject_in_bin = NEW.deleted_at IS NOT NULL
    WHERE opportunity_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE FUNCTION activities_follow_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE activities_activity
    SET owner_id = NEW.owner_id, territory_id = NEW.territory_id,
        subject_in_bin = NEW.deleted_at IS NOT NULL
    WHERE account_id = NEW.id AND opportunity_id IS NULL AND lead_id IS NULL;
    RETURN NULL;
END
$$;
CREATE FUNCTION activities_follow_lead() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    place leads_lead := NEW;
BEGIN
    WHILE place.merged_into_id IS NOT NULL LOOP
        SELECT * INTO STRICT place FROM leads_lead WHERE id = place.merged_into_id;
    END LOOP;
    UPDATE activities_activity
    SET owner_id = place.owner_id, territory_id = place.territory_id,
        subject_in_bin = place.deleted_at IS NOT NULL
    WHERE opportunity_id IS NULL AND lead_id = ANY(ARRAY(
        WITH RECURSIVE family(id) AS (
            SELECT NEW.id
            UNION SELECT l.id FROM leads_lead l JOIN family f ON l.merged_into_id = f.id)
        SELECT id FROM family));
    RETURN NULL;
END
$$;
CREATE TRIGGER activities_follow
    AFTER UPDATE OF owner_id, territory_id, deleted_at ON opportunities_opportunity
    FOR EACH ROW WHEN (
        OLD.owner_id <> NEW.owner_id OR OLD.territory_id IS DISTINCT FROM NEW.territory_id
        OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at)
    EXECUTE FUNCTION activities_follow_deal();
CREATE TRIGGER activities_follow
    AFTER UPDATE OF owner_id, territory_id, deleted_at ON accounts_account
    FOR EACH ROW WHEN (
        OLD.owner_id <> NEW.owner_id OR OLD.territory_id IS DISTINCT FROM NEW.territory_id
        OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at)
    EXECUTE FUNCTION activities_follow_account();
CREATE TRIGGER activities_follow
    AFTER UPDATE OF owner_id, territory_id, deleted_at, merged_into_id ON leads_lead
    FOR EACH ROW WHEN (
        OLD.owner_id IS DISTINCT FROM NEW.owner_id
        OR OLD.territory_id IS DISTINCT FROM NEW.territory_id
        OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at
        OR OLD.merged_into_id IS DISTINCT FROM NEW.merged_into_id)
    EXECUTE FUNCTION activities_follow_lead();
"""
_STAY = """
DROP TRIGGER activities_follow ON leads_lead;
DROP TRIGGER activities_follow ON accounts_account;
DROP TRIGGER activities_follow ON opportunities_opportunity;
DROP FUNCTION activities_follow_lead();
DROP FUNCTION activities_follow_account();
DROP FUNCTION activities_follow_deal();
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0001_initial")]

    operations = [migrations.RunSQL(_FOLLOW, _STAY)]
