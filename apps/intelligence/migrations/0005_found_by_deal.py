"""Suggestions are found by their deal, over or not."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("intelligence", "0004_suggestions_about_leads")]

    operations = [
        AddIndexConcurrently(
            "suggestion",
            models.Index(
                fields=["opportunity"],
                name="suggestion_of_deal",
                condition=models.Q(("opportunity", None), _negated=True),
            ),
        ),
    ]
