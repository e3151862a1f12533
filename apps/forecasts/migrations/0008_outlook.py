"""How far what comes can lie from what is expected, and what the score model expects."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

import apps.core.money

_ADDED_UP = (
    "category",
    "stage",
    "currency",
    "amount",
    "weighted_amount",
    "probability",
    "opportunity",
)


def _sum(model: str, name: str) -> migrations.AddField:
    return migrations.AddField(
        model, name, apps.core.money.MoneyField(decimal_places=2, max_digits=20, null=True)
    )


def _counts_by(name: str) -> models.Index:
    return models.Index(
        fields=[name, "counts_on"],
        include=_ADDED_UP,
        name=f"forecast_counts_by_{name}",
        condition=Q(ended_at=None),
    )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("forecasts", "0007_adjustments_stay"), ("intelligence", "0001_initial")]

    operations = [
        _sum("forecastline", "model_weighted_amount"),
        migrations.AddField("forecastline", "variance", models.FloatField(default=0)),
        migrations.AddField("forecastline", "third_moment", models.FloatField(default=0)),
        _sum("forecastsnapshot", "model_weighted_amount"),
        _sum("forecastsnapshot", "low_amount"),
        _sum("forecastsnapshot", "median_amount"),
        _sum("forecastsnapshot", "high_amount"),
        AddIndexConcurrently("forecastfact", _counts_by("owner")),
        AddIndexConcurrently("forecastfact", _counts_by("territory")),
        RemoveIndexConcurrently("forecastfact", "forecast_fact_by_owner"),
        RemoveIndexConcurrently("forecastfact", "forecast_fact_by_territory"),
    ]
