"""Taking a person out of imported files: by the records that rows became, or by the address."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction

from apps.core.contact_points import email_key
from apps.core.imports.models import ImportedRow


def erase_from_imports(*, record_ids: Collection[UUID], email_keys: Collection[str]) -> int:
    """Empty the rows about a person, and drop the files they stand in; returns how many rows.

    The other rows of these files can still be taken back. In the transaction of whoever decided it.
    """
    emptied = 0
    for rows in ImportedRow.__subclasses__():
        files = set()
        about = rows._default_manager.filter(**{f"{rows.record_field}__in": record_ids})
        due = {row.pk for row in about}
        files |= {getattr(row, f"{rows.file_field}_id") for row in about}
        for row in _failed(rows).iterator(chunk_size=1000):
            if _names(row.values or {}, email_keys):
                due.add(row.pk)
                files.add(getattr(row, f"{rows.file_field}_id"))
        emptied += rows._default_manager.filter(pk__in=due).update(values=None, values_before=None)
        _drop(rows._meta.get_field(rows.file_field).related_model, files)
    return emptied


def _failed(rows: type[ImportedRow]) -> Any:
    """Rows that failed, with what opens them: they became no record to be found by."""
    failed = rows._default_manager.filter(outcome=ImportedRow.Outcome.FAILED, values__isnull=False)
    return failed.select_related(f"{rows.file_field}__data_key")


def _names(values: Mapping[str, Any], email_keys: Collection[str]) -> bool:
    return any(
        email_key(text) in email_keys
        for text in values.values()
        if isinstance(text, str) and "@" in text
    )


def _drop(files: Any, ids: Collection[UUID]) -> None:
    """Delete stored files once it is sure. An import that is still running fails and says so."""
    concerned = files._default_manager.filter(pk__in=ids).exclude(file="")
    names = list(concerned.values_list("file", flat=True))
    concerned.update(file="")
    for name in names:
        transaction.on_commit(partial(default_storage.delete, name))
