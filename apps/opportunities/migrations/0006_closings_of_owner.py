"""How somebody's last deals ended is found without reading all of their history."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("opportunities", "0005_splits")]

    operations = [
        AddIndexConcurrently(
            model_name="opportunitychange",
            index=models.Index(
                condition=models.Q(("kind__in", ("won", "lost"))),
                fields=["owner_to", "at"],
                name="deal_closings_of_owner",
            ),
        ),
    ]
