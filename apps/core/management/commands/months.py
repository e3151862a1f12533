"""Shows the months of tables kept by month, makes those ahead, and detaches one that is over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.errors import Refusal
from apps.core.history import CHANGES
from apps.core.journal import detach_journal_month
from apps.core.partitions import kept_by_month, months_of, prepare_months, troubles
from apps.core.seals import ACCESSES, detach_sealed_month

DETACHED_BY: dict[str, Callable[[date], str]] = {
    "journal": detach_journal_month,
    "history": partial(detach_sealed_month, CHANGES),
    "accesses": partial(detach_sealed_month, ACCESSES),
}


class Command(BaseCommand):
    help = "Show the months of the tables that are kept by month, and make those ahead."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--detach", metavar="MONTH", help="take a month out of its table, such as 2024-01"
        )
        parser.add_argument(
            "--of", choices=DETACHED_BY, default="journal", help="the table; by default the journal"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["detach"]:
            self.detach(options["of"], options["detach"])
        for name in prepare_months():
            self.stdout.write(f"{name} is made.")
        for kept in kept_by_month():
            months = months_of(kept)
            self.stdout.write(f"{kept.table}: {months[0]:%Y-%m} to {months[-1]:%Y-%m}")
        for trouble in troubles():
            self.stderr.write(trouble)

    def detach(self, name: str, typed: str) -> None:
        """Take a month out of its table; its rows stay in a table of their own."""
        try:
            month = datetime.strptime(typed, "%Y-%m").date()  # noqa: DTZ007
            table = DETACHED_BY[name](month)
        except ValueError:
            raise CommandError("Say a month as 2024-01.") from None
        except Refusal as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(f"{table} is out of the {name}: dump it, then drop it.")
