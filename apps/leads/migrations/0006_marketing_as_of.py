"""As of when marketing's facts are."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("leads", "0005_score_source")]

    operations = [
        migrations.AddField(
            model_name="lead",
            name="marketing_as_of",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
