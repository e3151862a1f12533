"""Triggers that write the change history."""

from django.db import migrations

from apps.core.history import Watch


class Migration(migrations.Migration):
    dependencies = [("core", "0012_publish"), ("customer_success", "0001_initial")]

    operations = [Watch("measure", "measures"), Watch("case", "cases")]
