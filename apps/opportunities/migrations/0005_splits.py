"""Who shares the credit for a deal: the revenue shares come to 100 percent."""

import apps.core.identifiers
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from apps.core.history import Watch


_SHARES_ARE_WHOLE = """
CREATE FUNCTION opportunities_shares_are_whole() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    deal uuid := coalesce(NEW.opportunity_id, OLD.opportunity_id);
BEGIN
    IF (SELECT sum(percentage) FROM opportunities_opportunitysplit
        WHERE opportunity_id = deal AND kind = 'revenue') <> 100 THEN
        RAISE EXCEPTION 'The revenue shares of a deal come to 100 percent.'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER shares_are_whole
    AFTER INSERT OR UPDATE OR DELETE ON opportunities_opportunitysplit
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION opportunities_shares_are_whole();
"""
_SHARES_ARE_FREE = """
DROP TRIGGER shares_are_whole ON opportunities_opportunitysplit;
DROP FUNCTION opportunities_shares_are_whole();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('opportunities', '0004_history'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='OpportunitySplit',
            fields=[
                ('id', models.UUIDField(default=apps.core.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('kind', models.CharField(choices=[('revenue', 'Revenue'), ('overlay', 'Overlay')], max_length=10)),
                ('percentage', models.DecimalField(decimal_places=2, max_digits=5)),
                ('opportunity', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='splits', to='opportunities.opportunity')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(models.F('opportunity'), models.F('kind'), models.F('user'), name='deal_split_once'), models.CheckConstraint(condition=models.Q(('percentage__gt', 0), ('percentage__lte', 100)), name='deal_split_percent'), models.CheckConstraint(condition=models.Q(('kind__in', ('revenue', 'overlay'))), name='deal_split_kind')],
            },
        ),
        migrations.RunSQL(_SHARES_ARE_WHOLE, _SHARES_ARE_FREE),
        Watch("opportunitysplit", "opportunity_splits"),
    ]
