"""What counted once is found as fast as what counts now."""

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

_PAST = Q(ended_at__isnull=False)
_LEFT = models.CheckConstraint(condition=Q(left_as="") | _PAST, name="forecast_fact_left")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("forecasts", "0004_how_deals_left")]

    operations = [
        AddConstraintNotValid("forecastfact", _LEFT),
        ValidateConstraint("forecastfact", "forecast_fact_left"),
        AddIndexConcurrently(
            "forecastfact",
            models.Index(
                fields=["owner", "counts_on"], name="forecast_past_by_owner", condition=_PAST
            ),
        ),
        AddIndexConcurrently(
            "forecastfact",
            models.Index(
                fields=["territory", "counts_on"],
                name="forecast_past_by_territory",
                condition=_PAST,
            ),
        ),
    ]
