"""What the model can't say: adjustments are never altered, and every one is written down."""

from django.db import migrations

from apps.core.history import Watch

_ADJUSTMENTS_STAY = """
CREATE FUNCTION forecasts_adjustments_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Adjustments of forecasts are never altered.'
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER adjustments_stay BEFORE UPDATE OR DELETE ON forecasts_forecastadjustment
    FOR EACH ROW EXECUTE FUNCTION forecasts_adjustments_stay();
"""
_ADJUSTMENTS_GO = """
DROP TRIGGER adjustments_stay ON forecasts_forecastadjustment;
DROP FUNCTION forecasts_adjustments_stay();
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0004_history"), ("forecasts", "0006_adjustments")]

    operations = [
        migrations.RunSQL(_ADJUSTMENTS_STAY, _ADJUSTMENTS_GO),
        Watch("forecastadjustment", "forecast_adjustments"),
    ]
