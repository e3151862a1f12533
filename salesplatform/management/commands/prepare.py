"""Brings a database to the state this version needs, in one process: starting one is the cost."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, OutputWrapper

from salesplatform.embedded.steps import step, talking_step


class Command(BaseCommand):
    help = "Migrate, write the reference data, and load the demo company into an empty system."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="leave the demo company out")

    def handle(self, *args: Any, no_demo: bool, **options: Any) -> None:
        quietly = OutputWrapper(sys.stderr)
        with step("Migrations"):
            call_command("migrate", interactive=False, no_color=True, stdout=quietly)
        with step("Reference data"):
            call_command("seed", no_color=True, stdout=quietly)
        if not no_demo:
            with talking_step("Demo data"):
                call_command("load_demo")
