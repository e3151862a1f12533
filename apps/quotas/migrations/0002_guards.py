"""What the models can't say: the ledger is never altered, and quotas have a history."""

from django.db import migrations

from apps.core.history import Watch

_CREDITS_STAY = """
CREATE FUNCTION quotas_credits_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Credits are taken back, never altered.'
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER credits_stay BEFORE UPDATE OR DELETE ON quotas_quotacredit
    FOR EACH ROW EXECUTE FUNCTION quotas_credits_stay();
"""
_CREDITS_GO = """
DROP TRIGGER credits_stay ON quotas_quotacredit;
DROP FUNCTION quotas_credits_stay();
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0011_exchange_rates"), ("quotas", "0001_initial")]

    operations = [
        migrations.RunSQL(_CREDITS_STAY, _CREDITS_GO),
        Watch("quota", "quotas", leave_out=("holder_id", "attained_at")),
    ]
