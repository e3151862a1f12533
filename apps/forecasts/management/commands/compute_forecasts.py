"""Computes forecasts from the command line: the same service as the nightly run."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.actors import system_actor
from apps.core.errors import Refusal
from apps.forecasts.selectors.nodes import period_named
from apps.forecasts.services.computation import compute_forecasts


class Command(BaseCommand):
    help = "Compute the forecasts of the open periods, or of those named."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("periods", nargs="*", help="Q1_2026, M03_2026, FY_2026")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.perf_counter()
        try:
            periods = [period_named(key) for key in dict.fromkeys(options["periods"])] or None
            count = compute_forecasts(periods=periods, actor=system_actor(door="command"))
        except Refusal as refusal:
            raise CommandError(str(refusal)) from None
        seconds = time.perf_counter() - started
        self.stdout.write(f"Computed {count} forecasts in {seconds:.1f} s.")
