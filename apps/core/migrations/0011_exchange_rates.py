"""What other currencies are worth, with their history."""

import apps.core.identifiers
import apps.core.money
import django.utils.timezone
from django.db import migrations, models

from apps.core.history import Watch


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0010_job_scopes'),
    ]

    operations = [
        migrations.CreateModel(
            name='ExchangeRate',
            fields=[
                ('id', models.UUIDField(default=apps.core.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('currency', apps.core.money.CurrencyField(max_length=3)),
                ('valid_from', models.DateField()),
                ('rate', models.DecimalField(decimal_places=10, max_digits=20)),
            ],
            options={
                'ordering': ('currency', '-valid_from'),
                'constraints': [models.UniqueConstraint(models.F('currency'), models.F('valid_from'), name='exchange_rate_once_a_day'), models.CheckConstraint(condition=models.Q(('rate__gt', 0)), name='exchange_rate_is_positive')],
            },
        ),
        Watch("exchangerate", "exchange_rates"),
    ]
