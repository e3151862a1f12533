"""What the models can't say: what people submitted is never altered."""

from django.db import migrations

_SUBMISSIONS_STAY = """
CREATE FUNCTION forecasts_submissions_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Submitted forecasts are never altered.'
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER submissions_stay BEFORE UPDATE OR DELETE ON forecasts_forecastsubmission
    FOR EACH ROW EXECUTE FUNCTION forecasts_submissions_stay();
"""
_SUBMISSIONS_GO = """
DROP TRIGGER submissions_stay ON forecasts_forecastsubmission;
DROP FUNCTION forecasts_submissions_stay();
"""


class Migration(migrations.Migration):
    dependencies = [("forecasts", "0001_initial")]

    operations = [migrations.RunSQL(_SUBMISSIONS_STAY, _SUBMISSIONS_GO)]
