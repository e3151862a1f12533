import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('accounts', '0002_imports'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='account',
            index=django.contrib.postgres.indexes.GinIndex(condition=models.Q(('deleted_at', None)), fastupdate=False, fields=['external_ids'], name='account_external_ids', opclasses=['jsonb_path_ops']),
        ),
    ]
