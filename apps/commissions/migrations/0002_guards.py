"""What the models can't say: the ledger is never altered, and plans have a history."""

from django.db import migrations

from apps.core.history import Watch

_ENTRIES_STAY = """
CREATE FUNCTION commissions_entries_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Commissions are set right by another entry, never altered.'
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER entries_stay BEFORE UPDATE OR DELETE ON commissions_commissionentry
    FOR EACH ROW EXECUTE FUNCTION commissions_entries_stay();
"""
_ENTRIES_GO = """
DROP TRIGGER entries_stay ON commissions_commissionentry;
DROP FUNCTION commissions_entries_stay();
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0012_publish"), ("commissions", "0001_initial")]

    operations = [
        migrations.RunSQL(_ENTRIES_STAY, _ENTRIES_GO),
        Watch("commissionplan", "commission_plans"),
        Watch("commissionmember", "commission_members"),
    ]
