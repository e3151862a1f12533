"""Wraps every data key by the key in use, while the platform goes on."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.core.actors import system_actor
from apps.core.data_keys import keys_by_number, request_rotation
from apps.core.encryption.ring import ring
from apps.core.jobs import worked_off
from apps.core.models import Job


class Command(BaseCommand):
    help = "Wrap every data key by the first of ENCRYPTION_KEYS; --dry-run only counts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="show what wraps how many")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        if not dry_run:
            self.rotate()
        for number, count in keys_by_number().items():
            told = "in use" if number == ring().in_use else "outdated"
            self.stdout.write(f"key {number}, {told}: wraps {count:,} data keys")

    def rotate(self) -> None:
        """Work the job off here, telling how far it is."""
        requested = request_rotation(actor=system_actor(door="command"))
        for job in worked_off(requested.pk):
            self.stdout.write(f"{job.position:,} of {job.total:,} wrapped anew")
        self.stdout.write(f"{Job.Status(job.status).label}. {job.message}".strip())
