"""With which permissions a job was asked for."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0009_keys_are_held_by_locks'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='scopes',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=100), blank=True, editable=False, null=True, size=None),
        ),
    ]
