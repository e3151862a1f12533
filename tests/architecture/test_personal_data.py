"""Whoever keeps people says how they are found and erased."""

from __future__ import annotations

from django.apps import apps

from apps.core.encryption.columns import encrypted_columns, key_column
from apps.core.history import everything_audited
from apps.core.imports.models import ImportedFile, ImportedRow
from apps.core.personal_data import holdings
from apps.leads.models import LeadMerge
from apps.privacy.models import Export

# Emptied or dropped with the people they are about, by code of their own.
WITH_THEIR_PEOPLE = {
    Export,
    LeadMerge,
    *ImportedFile.__subclasses__(),
    *ImportedRow.__subclasses__(),
}


def test_every_model_with_encrypted_columns_is_declared():
    encrypted = {one for one in apps.get_models() if encrypted_columns(one)}
    declared = {one.model for one in holdings().values()}
    assert declared <= encrypted
    assert encrypted == declared | WITH_THEIR_PEOPLE


def test_people_have_a_key_an_index_and_a_history():
    for kind, one in holdings().items():
        names = {field.name for field in one.model._meta.get_fields()}
        assert key_column(one.model) is not None
        assert one.has_address is ("email" in names)
        assert set(one.emptied) <= names
        audited = everything_audited()[kind]
        assert audited.model is one.model
        assert {"data_key_id", *({"email_key"} & names)} <= set(audited.leave_out)
