"""Shows and changes how long what is kept, and drops what is due as the clock does."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.core.actors import system_actor
from apps.core.errors import Refusal
from apps.core.retention import days_kept, due_now, everything_kept, forget_what_is_due, keep_for


class Command(BaseCommand):
    help = "Show what would be forgotten now; --forget does it, --keep changes for how long."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--forget", action="store_true", help="drop what is due")
        parser.add_argument(
            "--keep", nargs=2, metavar=("NAME", "DAYS"), help="core.jobs 30, or `always`"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["keep"]:
            self.keep(*options["keep"])
        if options["forget"]:
            self.forget()
        else:
            self.show()

    def keep(self, name: str, days: str) -> None:
        """Change a rule from now on."""
        if days != "always" and not days.isdecimal():
            raise CommandError("Say a number of days, or `always`.")
        try:
            keep_for(
                name=name,
                days=None if days == "always" else int(days),
                actor=system_actor(door="command"),
            )
        except Refusal as refusal:
            raise CommandError(str(refusal)) from None

    def forget(self) -> None:
        """What the clock does at night, now and for every app."""
        for app in sorted({one.app for one in everything_kept()}):
            for name, count in forget_what_is_due(app, now=timezone.now()).items():
                self.stdout.write(f"{name:<28}{count:>12,} forgotten")

    def show(self) -> None:
        """What would be forgotten now; nothing is."""
        now, days = timezone.now(), days_kept()
        for one in everything_kept():
            due = due_now(one, days[one.name], now)
            told = "kept for good" if due is None else f"{due.count():,} due"
            kept = "" if due is None else f"{days[one.name]} days"
            self.stdout.write(f"{one.name:<28}{kept:>12}{told:>16}  {one.sentence}")
