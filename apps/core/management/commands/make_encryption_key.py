"""Prints a fresh key for ENCRYPTION_KEYS or BLIND_INDEX_KEY."""

from __future__ import annotations

import base64
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

from apps.core.encryption.ring import fresh_key


class Command(BaseCommand):
    help = "Print a fresh key in base64; with ENCRYPTION_KMS_KEY as KMS encrypted it."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        make = fresh_key
        if settings.ENCRYPTION_KMS_KEY:
            make = import_string("apps.core.encryption.kms.locked")
        self.stdout.write(base64.b64encode(make()).decode())
