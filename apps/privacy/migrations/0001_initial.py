"""Exports and erasures of people."""

import apps.core.encryption.columns
import apps.core.identifiers
import django.contrib.postgres.fields
import django.core.serializers.json
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from apps.core.history import Watch


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('core', '0006_consent'),
    ]

    operations = [
        migrations.CreateModel(
            name='Erasure',
            fields=[
                ('id', models.UUIDField(default=apps.core.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('actor_id', models.UUIDField(editable=False)),
                ('reason', models.CharField(max_length=255)),
                ('email_keys', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), size=None)),
                ('rows', models.JSONField(encoder=django.core.serializers.json.DjangoJSONEncoder)),
                ('imported_rows', models.IntegerField()),
                ('history_entries', models.IntegerField()),
                ('events', models.IntegerField()),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Export',
            fields=[
                ('id', models.UUIDField(default=apps.core.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('email', apps.core.encryption.columns.EncryptedText(blank=True, max_length=254)),
                ('email_key', models.CharField(blank=True, editable=False, max_length=20)),
                ('object_kind', models.CharField(blank=True, max_length=50)),
                ('object_id', models.UUIDField(blank=True, null=True)),
                ('actor_id', models.UUIDField(editable=False)),
                ('file', models.CharField(blank=True, editable=False, max_length=500)),
                ('data_key', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.datakey')),
                ('job', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='privacy_export', to='core.job')),
            ],
            options={
                'verbose_name': 'export of a person',
                'verbose_name_plural': 'exports of a person',
                'indexes': [models.Index(condition=models.Q(('email_key', ''), _negated=True), fields=['email_key'], name='export_by_email'), models.Index(condition=models.Q(('object_id', None), _negated=True), fields=['object_id'], name='export_by_object')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('email_key', ''), _negated=True), ('object_id__isnull', False), _connector='OR'), name='export_of_somebody')],
            },
        ),
        Watch("erasure", "erasures"),
    ]
