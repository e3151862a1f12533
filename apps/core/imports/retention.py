"""Imported files are forgotten once nobody would take them back any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.core.files.storage import default_storage
from django.db.models import Q

from apps.core.data_keys import destroy_keys
from apps.core.imports.models import ImportedFile
from apps.core.models import Job
from apps.core.retention import Due, Rows, forgets

# Each goes with a row for every line it had.
FILES_AT_ONCE = 10


@dataclass(frozen=True)
class _OfEveryKind:
    """What is due of every kind of import."""

    parts: tuple[Rows, ...]

    def count(self) -> int:
        return sum(one.count() for one in self.parts)

    def forget(self) -> int:
        return sum(one.forget() for one in self.parts)


@forgets("core.imports", "Imported files, with what became of each of their rows", days=90)
def old_imports(before: datetime) -> Due:
    """Imports that ended, and were taken back if at all, before a moment."""
    long_ended = {"job__status__in": Job.ENDED, "job__finished_at__lt": before}
    never_undone = Q(undo_job=None)
    long_undone = Q(undo_job__status__in=Job.ENDED, undo_job__finished_at__lt=before)
    return _OfEveryKind(
        tuple(
            Rows(
                files._default_manager.filter(never_undone | long_undone, **long_ended),
                along=partial(_delete_files, files),
                at_once=FILES_AT_ONCE,
            )
            for files in ImportedFile.__subclasses__()
        )
    )


def _delete_files(files: type[ImportedFile], keys: Sequence[Any]) -> None:
    due = files._default_manager.filter(pk__in=keys)
    for name in due.values_list("file", flat=True):
        default_storage.delete(name)
    destroy_keys(due.values_list("data_key_id", flat=True))
