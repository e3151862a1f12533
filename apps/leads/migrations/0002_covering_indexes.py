"""Lists of a person or territory are filtered and ordered from the index; the history of
assignments is found by its exclusion constraint."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

_LIVE = models.Q(("deleted_at", None))


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("leads", "0001_initial")]

    operations = [
        AddIndexConcurrently(
            model_name="lead",
            index=models.Index(
                condition=_LIVE,
                fields=["owner", "-created_at", "-id"],
                include=("score", "status", "merged_into"),
                name="lead_owned",
            ),
        ),
        AddIndexConcurrently(
            model_name="lead",
            index=models.Index(
                condition=_LIVE,
                fields=["territory", "-created_at", "-id"],
                include=("score", "status", "merged_into"),
                name="lead_placed",
            ),
        ),
        RemoveIndexConcurrently(model_name="lead", name="lead_by_owner"),
        RemoveIndexConcurrently(model_name="lead", name="lead_by_territory"),
        migrations.AlterField(
            model_name="leadassignment",
            name="record",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="assignments",
                to="leads.lead",
            ),
        ),
    ]
