"""E-mail address and phone number of contacts are encrypted under a key per person.

What the change history held in clear is erased from it, provably. Files that were imported in clear
go, with what was kept of their rows: those imports can't be taken back any more.
"""

import django.db.models.deletion
from django.core.files.storage import default_storage
from django.db import migrations, models

from apps.core.encryption.columns import EncryptedJSON, EncryptedText
from apps.core.encryption.existing import encrypt_rows
from apps.core.history import EraseColumns, Watch


def _forget_imports(apps, editor):
    imports = apps.get_model("accounts", "AccountImport").objects
    for name in imports.values_list("file", flat=True):
        default_storage.delete(name)
    imports.all().delete()


def _encrypt(apps, editor):
    encrypt_rows(
        apps.get_model("accounts", "Contact"),
        editor,
        columns={"email": "clear_email", "phone": "clear_phone"},
        keys={"email_key": "email"},
    )


def _key(**options):
    return models.ForeignKey(
        editable=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to="core.datakey",
        **options,
    )


class Migration(migrations.Migration):
    dependencies = [("core", "0005_data_keys"), ("accounts", "0005_history")]

    operations = [
        migrations.RunPython(_forget_imports),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE"),
        migrations.AddField("accountimport", "data_key", _key(), preserve_default=False),
        migrations.RemoveField("accountimport", "columns"),
        migrations.RemoveField("accountimport", "mapping"),
        migrations.RemoveField("accountimportrow", "values"),
        migrations.RemoveField("accountimportrow", "values_before"),
        migrations.AddField("accountimport", "columns", EncryptedJSON(), preserve_default=False),
        migrations.AddField("accountimport", "mapping", EncryptedJSON(), preserve_default=False),
        migrations.AddField(
            "accountimportrow", "values", EncryptedJSON(null=True, bound_to="line")
        ),
        migrations.AddField(
            "accountimportrow", "values_before", EncryptedJSON(null=True, bound_to="line")
        ),
        migrations.RenameField("contact", "email", "clear_email"),
        migrations.RenameField("contact", "phone", "clear_phone"),
        migrations.AddField("contact", "data_key", _key(null=True)),
        migrations.AddField(
            "contact",
            "email",
            EncryptedText(max_length=254, blank=True, default=b""),
            preserve_default=False,
        ),
        migrations.AddField(
            "contact",
            "phone",
            EncryptedText(max_length=50, blank=True, default=b""),
            preserve_default=False,
        ),
        migrations.RunPython(_encrypt),
        migrations.RemoveField("contact", "clear_email"),
        migrations.RemoveField("contact", "clear_phone"),
        migrations.AlterField("contact", "data_key", _key()),
        migrations.AlterField(
            "contact", "email_key", models.CharField(blank=True, editable=False, max_length=20)
        ),
        Watch(
            "contact",
            "contacts",
            leave_out=("data_key_id", "email_key"),
            before=("email_key",),
        ),
        EraseColumns("contacts", ("email", "phone")),
    ]
