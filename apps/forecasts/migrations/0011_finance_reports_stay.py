"""What the model can't say: reports to finance are never altered."""

from django.db import migrations

_REPORTS_STAY = """
CREATE FUNCTION forecasts_finance_reports_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Reports to finance are never altered.'
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER finance_reports_stay BEFORE UPDATE OR DELETE ON forecasts_financereport
    FOR EACH ROW EXECUTE FUNCTION forecasts_finance_reports_stay();
"""
_REPORTS_GO = """
DROP TRIGGER finance_reports_stay ON forecasts_financereport;
DROP FUNCTION forecasts_finance_reports_stay();
"""


class Migration(migrations.Migration):
    dependencies = [("forecasts", "0010_finance_reports")]

    operations = [migrations.RunSQL(_REPORTS_STAY, _REPORTS_GO)]
