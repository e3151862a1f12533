"""Whether a lead was scored by the rules or by a model."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('leads', '0004_encrypted'),
    ]

    operations = [
        migrations.AddField(
            model_name='lead',
            name='score_source',
            field=models.CharField(choices=[('rules', 'Rules'), ('model', 'Model')], db_default='rules', default='rules', editable=False, max_length=10),
        ),
    ]
