"""What was sold in a period is answered from an index of days."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("quotas", "0004_branches")]

    operations = [
        AddIndexConcurrently(
            "quotacredit",
            models.Index(
                fields=["kind", "closed_on"],
                include=["holder_id", "converted", "deals"],
                name="credit_of_day",
            ),
        ),
    ]
