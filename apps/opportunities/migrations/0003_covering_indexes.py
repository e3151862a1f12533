"""Lists are filtered and ordered by stage and amount from the index, without the rows."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

_LIVE = models.Q(("deleted_at", None))


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("opportunities", "0002_guards")]

    operations = [
        AddIndexConcurrently(
            model_name="opportunity",
            index=models.Index(
                condition=_LIVE,
                fields=["-created_at", "-id"],
                include=("owner", "territory", "stage_key", "amount"),
                name="deal_recent",
            ),
        ),
        AddIndexConcurrently(
            model_name="opportunity",
            index=models.Index(
                condition=_LIVE,
                fields=["owner", "-created_at", "-id"],
                include=("stage_key", "amount"),
                name="deal_owned",
            ),
        ),
        AddIndexConcurrently(
            model_name="opportunity",
            index=models.Index(
                condition=_LIVE,
                fields=["territory", "-created_at", "-id"],
                include=("stage_key", "amount"),
                name="deal_placed",
            ),
        ),
        RemoveIndexConcurrently(model_name="opportunity", name="deal_newest"),
        RemoveIndexConcurrently(model_name="opportunity", name="deal_by_owner"),
        RemoveIndexConcurrently(model_name="opportunity", name="deal_by_territory"),
    ]
