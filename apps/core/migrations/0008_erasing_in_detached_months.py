"""What guards the change history also guards its months once they are detached."""

from django.db import migrations

# A detached month has a row type of its own: what it holds is looked at as a row of the history.
_GUARD = """
CREATE OR REPLACE FUNCTION core_erased_alone() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    erased core_change := OLD;
    given core_change := NEW;
BEGIN
    erased.digest := core_digest_of_values(erased);
    erased.before := NULL;
    erased.after := NULL;
    erased.salt := NULL;
    erased.erased_at := given.erased_at;
    IF OLD.erased_at IS NULL AND given.erased_at IS NOT NULL
       AND given IS NOT DISTINCT FROM erased THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is written once', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0007_access_log")]

    operations = [migrations.RunSQL(_GUARD, migrations.RunSQL.noop)]
