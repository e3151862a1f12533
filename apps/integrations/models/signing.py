"""What others share a secret with us for: messages are signed with it (Standard Webhooks)."""

from __future__ import annotations

from django.db import models

from apps.core.models import Record


class Signing(Record):
    """A row with a secret. Secrets are sealed; the former one works until `former_until`."""

    secret = models.BinaryField()
    former_secret = models.BinaryField(null=True)
    former_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True
