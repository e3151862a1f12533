"""The index by which contacts are found by their phone numbers."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("accounts", "0008_phones_of_contacts_filled")]

    operations = [
        AddIndexConcurrently(
            model_name="contact",
            index=models.Index(
                fields=["phone_key"],
                name="contact_by_phone",
                condition=~models.Q(phone_key=""),
            ),
        ),
    ]
