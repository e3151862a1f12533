"""Suggestions that are over are forgotten by an index."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("intelligence", "0002_suggestions")]

    operations = [
        AddIndexConcurrently(
            "suggestion",
            models.Index(
                fields=["ended_at"],
                name="suggestion_over",
                condition=models.Q(("decision", ""), ("ended_at__isnull", False)),
            ),
        ),
    ]
