"""Targets of webhooks have a history, without their secrets."""

from django.db import migrations

from apps.core.history import Watch


class Migration(migrations.Migration):
    dependencies = [("core", "0013_interest"), ("integrations", "0001_initial")]

    operations = [Watch("webhooktarget", "webhooks", leave_out=("secret", "former_secret"))]
