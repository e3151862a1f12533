"""Writes the reference data that the platform can't do without. Running it again is harmless."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.core.actors import system_actor
from apps.core.partitions import prepare_months
from apps.opportunities.services.pipelines import seed_default_pipeline


class Command(BaseCommand):
    help = "Write the reference data: the default pipeline with its stages, and the months ahead."

    def handle(self, *args: Any, **options: Any) -> None:
        prepare_months()
        pipeline = seed_default_pipeline(actor=system_actor(door="command"))
        self.stdout.write(f"Pipeline {pipeline.name} is in place.")
