"""E-mail address, phone number and metadata of leads are encrypted under a key per person.

What the change history held in clear is erased from it, provably. Files that were imported in clear
go, with what was kept of their rows: those imports can't be taken back any more.
"""

import django.db.models.deletion
from django.core.files.storage import default_storage
from django.db import migrations, models

from apps.core.encryption.columns import EncryptedJSON, EncryptedText
from apps.core.encryption.existing import encrypt_rows
from apps.core.encryption.ring import ring
from apps.core.history import EraseColumns, Watch


def _forget_imports(apps, editor):
    imports = apps.get_model("leads", "LeadImport").objects
    for name in imports.values_list("file", flat=True):
        default_storage.delete(name)
    imports.all().delete()


def _encrypt(apps, editor):
    encrypt_rows(
        apps.get_model("leads", "Lead"),
        editor,
        columns={"email": "clear_email", "phone": "clear_phone", "metadata": "clear_metadata"},
        keys={"email_key": "email", "phone_key": "phone"},
    )
    merges = apps.get_model("leads", "LeadMerge").objects
    for merge in merges.select_related("survivor__data_key"):
        field = merge._meta.get_field("values_before")
        cipher = ring().cipher(bytes(merge.survivor.data_key.wrapped))
        kept = field.encrypted(merge.clear_values, cipher, merge.pk)
        merges.filter(pk=merge.pk).update(values_before=kept)


def _key(**options):
    return models.ForeignKey(
        editable=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to="core.datakey",
        **options,
    )


class Migration(migrations.Migration):
    dependencies = [("core", "0005_data_keys"), ("leads", "0003_history")]

    operations = [
        migrations.RunPython(_forget_imports),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE"),
        migrations.AddField("leadimport", "data_key", _key(), preserve_default=False),
        migrations.RemoveField("leadimport", "columns"),
        migrations.RemoveField("leadimport", "mapping"),
        migrations.RemoveField("leadimportrow", "values"),
        migrations.RemoveField("leadimportrow", "values_before"),
        migrations.AddField("leadimport", "columns", EncryptedJSON(), preserve_default=False),
        migrations.AddField("leadimport", "mapping", EncryptedJSON(), preserve_default=False),
        migrations.AddField("leadimportrow", "values", EncryptedJSON(null=True, bound_to="line")),
        migrations.AddField(
            "leadimportrow", "values_before", EncryptedJSON(null=True, bound_to="line")
        ),
        migrations.RemoveConstraint("lead", "lead_open_email_once"),
        migrations.RenameField("lead", "email", "clear_email"),
        migrations.RenameField("lead", "phone", "clear_phone"),
        migrations.RenameField("lead", "metadata", "clear_metadata"),
        migrations.RenameField("leadmerge", "values_before", "clear_values"),
        migrations.AddField("lead", "data_key", _key(null=True)),
        migrations.AddField(
            "lead", "email", EncryptedText(max_length=255, default=b""), preserve_default=False
        ),
        migrations.AddField(
            "lead", "phone", EncryptedText(max_length=50, blank=True, default=b""),
            preserve_default=False,
        ),
        migrations.AddField(
            "lead", "metadata", EncryptedJSON(blank=True, default=b""), preserve_default=False
        ),
        migrations.AddField(
            "leadmerge", "values_before", EncryptedJSON(default=b""), preserve_default=False
        ),
        migrations.RunPython(_encrypt),
        migrations.RemoveField("lead", "clear_email"),
        migrations.RemoveField("lead", "clear_phone"),
        migrations.RemoveField("lead", "clear_metadata"),
        migrations.RemoveField("leadmerge", "clear_values"),
        migrations.AlterField("lead", "metadata", EncryptedJSON(blank=True, default=dict)),
        migrations.AlterField("lead", "data_key", _key()),
        migrations.AlterField(
            "lead", "email_key", models.CharField(editable=False, max_length=20)
        ),
        migrations.AlterField(
            "lead", "phone_key", models.CharField(blank=True, editable=False, max_length=20)
        ),
        migrations.AddConstraint(
            "lead",
            models.UniqueConstraint(
                fields=["email_key"],
                name="lead_open_email_once",
                condition=models.Q(
                    deleted_at=None,
                    merged_into=None,
                    status__in=("new", "contacted", "qualified"),
                )
                & ~models.Q(email_key=""),
            ),
        ),
        Watch(
            "lead",
            "leads",
            leave_out=("data_key_id", "email_key", "phone_key", "company_key", "version"),
            before=("email_key", "phone_key", "company_key", "version"),
        ),
        EraseColumns("leads", ("email", "phone", "metadata")),
    ]
