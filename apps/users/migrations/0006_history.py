"""Triggers that write the change history."""

from django.db import migrations

from apps.core.history import Watch


class Migration(migrations.Migration):
    dependencies = [("core", "0004_history"), ("users", "0005_single_sign_on")]

    operations = [
        Watch("user", "users", leave_out=("password", "last_login", "token_version", "is_superuser")),
        Watch("rolepermission", "role_permissions"),
    ]
