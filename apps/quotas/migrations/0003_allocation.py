"""From which quota another was shared out."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("quotas", "0002_guards")]

    operations = [
        migrations.AddField(
            model_name="quota",
            name="parent",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="children",
                to="quotas.quota",
            ),
        ),
    ]
