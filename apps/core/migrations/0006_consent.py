"""What people agreed to."""

import apps.core.identifiers
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0005_data_keys'),
    ]

    operations = [
        migrations.CreateModel(
            name='Consent',
            fields=[
                ('id', models.UUIDField(default=apps.core.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('noted_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('actor_id', models.UUIDField()),
                ('email_key', models.CharField(max_length=20)),
                ('purpose', models.CharField(choices=[('marketing', 'Marketing'), ('sale', 'Sale or sharing of their data')], max_length=20)),
                ('is_given', models.BooleanField(verbose_name='agreed')),
                ('source', models.CharField(max_length=255)),
            ],
            options={
                'indexes': [models.Index(fields=['email_key', 'purpose', '-id'], name='consent_latest')],
                'constraints': [models.CheckConstraint(condition=models.Q(('purpose__in', ('marketing', 'sale'))), name='consent_purpose_known'), models.CheckConstraint(condition=models.Q(('email_key', ''), _negated=True), name='consent_of_somebody')],
            },
        ),
    ]
