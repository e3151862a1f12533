"""What is kept of an imported file and of each of its rows: made concrete by each app."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from apps.core.encryption.columns import EncryptedJSON
from apps.core.models import Confidential, DataKey, Job, Record


class ImportedFile(Confidential, Record):
    """A file: what it is, how it is read, and how far it has come (`job`).

    It is full of people: under its data key stand the file itself, its columns, which are people
    where it has no headings, and what is kept of its rows.

    A concrete model adds `job` and `undo_job`, each one-to-one, and `match_on` with its choices.
    """

    class Mode(models.TextChoices):
        DRY_RUN = "dry_run"
        APPLY = "apply"

    filename = models.CharField(max_length=255)
    file = models.CharField(max_length=500)
    columns = EncryptedJSON()
    mapping = EncryptedJSON()
    mode = models.CharField(max_length=20, choices=Mode)
    created = models.IntegerField(default=0)
    updated = models.IntegerField(default=0)
    skipped = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)

    MatchOn: Any
    job: Any
    job_id: Any
    undo_job: Any
    match_on: Any
    rows: Any

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.filename

    @property
    def status(self) -> str:
        """The job's status; an undone import says so."""
        return Job.Status.UNDONE if self.is_undone else self.job.status

    @property
    def is_undone(self) -> bool:
        """Whether undoing it came to its end."""
        return self.undo_job is not None and self.undo_job.status in (
            Job.Status.COMPLETED,
            Job.Status.COMPLETED_WITH_ERRORS,
        )


class ImportedRow(models.Model):
    """What became of one line of a file: what undo and the report of failed rows read.

    A concrete model adds the foreign key to its file, related as `rows`, and the id of the record
    that the line became, and says how both are called.
    """

    class Outcome(models.TextChoices):
        CREATED = "created"
        UPDATED = "updated"
        SKIPPED = "skipped"
        FAILED = "failed"

    WRITTEN = (Outcome.CREATED, Outcome.UPDATED)

    file_field: ClassVar[str]
    record_field: ClassVar[str]

    id = models.BigAutoField(primary_key=True)
    line = models.IntegerField()
    outcome = models.CharField(max_length=10, choices=Outcome)
    version = models.IntegerField(null=True)
    values_before = EncryptedJSON(null=True, bound_to="line")
    values = EncryptedJSON(null=True, bound_to="line")
    errors = models.JSONField(null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"line {self.line}: {self.outcome}"

    @property
    def data_key(self) -> DataKey:
        """The file's."""
        key: DataKey = getattr(self, self.file_field).data_key
        return key

    @property
    def record_id(self) -> Any:
        """The record that the line became; None where it became none."""
        return getattr(self, self.record_field)

    @staticmethod
    def indexes(file_field: str) -> list[models.Index]:
        """The indexes that the report and undo read by, named after the foreign key."""
        return [
            models.Index(
                fields=[file_field, "line"],
                name=f"{file_field}_failed",
                condition=Q(outcome="failed"),
            ),
            models.Index(
                fields=[file_field, "id"],
                name=f"{file_field}_written",
                condition=Q(outcome__in=("created", "updated")),
            ),
        ]
