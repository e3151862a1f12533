"""Triggers that write the change history."""

from django.db import migrations

from apps.core.history import Watch


class Migration(migrations.Migration):
    dependencies = [("core", "0004_history"), ("catalog", "0001_initial")]

    operations = [
        Watch("product", "products"),
        Watch("pricebook", "price_books"),
        Watch("pricebookentry", "prices"),
    ]
