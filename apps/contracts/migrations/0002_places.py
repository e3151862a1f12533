"""What the model can't say: a contract lies where its deal lies, and has a history."""

from django.db import migrations

from apps.core.history import Watch

_FOLLOW = """
CREATE FUNCTION contracts_follow_deal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE contracts_contract
    SET owner_id = NEW.owner_id, territory_id = NEW.territory_id
    WHERE opportunity_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER contracts_follow
    AFTER UPDATE OF owner_id, territory_id ON opportunities_opportunity
    FOR EACH ROW WHEN (
        OLD.owner_id <> NEW.owner_id OR OLD.territory_id IS DISTINCT FROM NEW.territory_id)
    EXECUTE FUNCTION contracts_follow_deal();
"""
_STAY = """
DROP TRIGGER contracts_follow ON opportunities_opportunity;
DROP FUNCTION contracts_follow_deal();
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0012_publish"), ("contracts", "0001_initial")]

    operations = [
        migrations.RunSQL(_FOLLOW, _STAY),
        Watch("contract", "contracts", leave_out=("owner_id", "territory_id")),
    ]
