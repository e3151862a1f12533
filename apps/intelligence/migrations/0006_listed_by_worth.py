"""Suggestions are listed by what they are worth, over or not."""

from decimal import Decimal

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Coalesce


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("intelligence", "0005_found_by_deal")]

    operations = [
        AddIndexConcurrently(
            "suggestion",
            models.Index(
                Coalesce("value", Decimal("0.00")).desc(),
                models.F("id").desc(),
                name="suggestion_by_worth",
            ),
        ),
    ]
