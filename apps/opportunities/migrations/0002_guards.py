"""What the models can't say: history is never altered, a deal's stage columns agree, and deals
without an expected close sort last."""

from django.db import migrations

_STAGE_AGREES = """
ALTER TABLE opportunities_stage
    ADD CONSTRAINT stage_as_repeated UNIQUE (id, pipeline_id, key, kind);
ALTER TABLE opportunities_opportunity
    ADD CONSTRAINT deal_stage_agrees
    FOREIGN KEY (stage_id, pipeline_id, stage_key, kind)
    REFERENCES opportunities_stage (id, pipeline_id, key, kind)
    ON UPDATE CASCADE;
"""
_STAGE_MAY_DIFFER = """
ALTER TABLE opportunities_opportunity DROP CONSTRAINT deal_stage_agrees;
ALTER TABLE opportunities_stage DROP CONSTRAINT stage_as_repeated;
"""

_BY_CLOSE = """
CREATE INDEX deal_by_close ON opportunities_opportunity
    (COALESCE(expected_close_date, 'infinity'::date), id) WHERE deleted_at IS NULL;
"""
_NOT_BY_CLOSE = "DROP INDEX deal_by_close;"

_CHANGES_STAY = """
CREATE FUNCTION opportunities_changes_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The history of opportunities is never altered.'
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER changes_stay BEFORE UPDATE OR DELETE ON opportunities_opportunitychange
    FOR EACH ROW EXECUTE FUNCTION opportunities_changes_stay();
"""
_CHANGES_GO = """
DROP TRIGGER changes_stay ON opportunities_opportunitychange;
DROP FUNCTION opportunities_changes_stay();
"""


class Migration(migrations.Migration):
    dependencies = [("opportunities", "0001_initial")]

    operations = [
        migrations.RunSQL(_STAGE_AGREES, _STAGE_MAY_DIFFER),
        migrations.RunSQL(_BY_CLOSE, _NOT_BY_CLOSE),
        migrations.RunSQL(_CHANGES_STAY, _CHANGES_GO),
    ]
