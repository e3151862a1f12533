"""What is still to be done counts as nothing yet: its words stay, and count once it was done."""

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.models import Q

_OF_DONE = models.CheckConstraint(
    condition=Q(outcome_kind="") | Q(completed_at__isnull=False), name="activity_outcome_of_done"
)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("activities", "0008_outcomes_counted")]

    operations = [
        AddConstraintNotValid("activity", _OF_DONE),
        migrations.RunSQL(
            "UPDATE activities_activity SET outcome_kind = ''"
            " WHERE completed_at IS NULL AND outcome_kind <> ''",
            migrations.RunSQL.noop,
        ),
        ValidateConstraint("activity", "activity_outcome_of_done"),
    ]
