"""Leads are counted by the campaign that brought them."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("leads", "0007_campaigns")]

    operations = [
        AddIndexConcurrently(
            model_name="lead",
            index=models.Index(
                fields=["campaign_id"],
                name="lead_by_campaign",
                condition=models.Q(deleted_at=None, merged_into=None)
                & ~models.Q(campaign_id=""),
            ),
        ),
    ]
