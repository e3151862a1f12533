"""What a period would have come to at the speed of the time, beside what was forecast."""

from __future__ import annotations

from django.db import migrations

from apps.core.money import MoneyField


class Migration(migrations.Migration):
    dependencies = [("forecasts", "0011_finance_reports_stay")]
    operations = [
        migrations.AddField(
            "forecastaccuracy", "run_rate_amount", MoneyField(max_digits=20, null=True)
        )
    ]
