"""Writes the AsyncAPI document of the events that leave the platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandParser

from apps.integrations.services.description import describe


class PlainDumper(yaml.SafeDumper):
    """Writes what stands in several places out in each of them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class Command(BaseCommand):
    help = "Write the description of the events that leave the platform."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", type=Path, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        with options["file"].open("w") as file:
            yaml.dump(describe(), file, PlainDumper, sort_keys=False, allow_unicode=True, width=100)
