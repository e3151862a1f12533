"""What people asked for who are in the data: to be told what is held on them, and to be erased."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils.timezone import localtime

from apps.core.encryption.columns import EncryptedText
from apps.core.history import audited
from apps.core.models import Confidential, Job, Record


class Export(Confidential, Record):
    """Everything that is held on a person, put together in one file for them.

    The person is an address, or whom the row `object_id` of `object_kind` is about. The file stands
    under the export's own data key, which is destroyed when the export is forgotten.
    """

    email = EncryptedText(max_length=254, blank=True)
    email_key = models.CharField(max_length=20, blank=True, editable=False)
    object_kind = models.CharField(max_length=50, blank=True)
    object_id = models.UUIDField(null=True, blank=True)
    actor_id = models.UUIDField(editable=False)
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="privacy_export")
    file = models.CharField(max_length=500, blank=True, editable=False)

    class Meta:
        verbose_name = "export of a person"
        verbose_name_plural = "exports of a person"
        indexes = [
            models.Index(fields=["email_key"], name="export_by_email", condition=~Q(email_key="")),
            models.Index(
                fields=["object_id"], name="export_by_object", condition=~Q(object_id=None)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(email_key="") | Q(object_id__isnull=False), name="export_of_somebody"
            )
        ]

    def __str__(self) -> str:
        return self.email or f"{self.object_kind} {self.object_id}"


@audited("erasures")
class Erasure(Record):
    """That a person was erased, by whom and why; of the person it keeps which rows there were."""

    actor_id = models.UUIDField(editable=False)
    reason = models.CharField(max_length=255)
    email_keys: Any = ArrayField(models.CharField(max_length=20))
    rows = models.JSONField(encoder=DjangoJSONEncoder)
    imported_rows = models.IntegerField()
    history_entries = models.IntegerField()
    events = models.IntegerField()

    def __str__(self) -> str:
        return f"{localtime(self.created_at):%Y-%m-%d} {self.reason}"

    @property
    def row_count(self) -> int:
        """How many rows told of the person."""
        return sum(map(len, self.rows.values()))
