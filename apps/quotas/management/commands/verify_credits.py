"""Prove that what is credited is what the won deals and completed activities come to."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.actors import system_actor
from apps.core.errors import Refusal
from apps.quotas.selectors.attainment import disagreements, miscounts
from apps.quotas.services.activities import recount_activities
from apps.quotas.services.credits import credit_unheard


class Command(BaseCommand):
    """`manage.py verify_credits`: nothing, or every credit that is not what deals and activities
    say."""

    help = "Compares what is credited with the won deals and completed activities."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--credit` first credits what was won and completed before that was credited."""
        parser.add_argument("--credit", action="store_true", help="credit what nobody heard of")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say that they agree; fail with where they don't."""
        if options["credit"]:
            actor = system_actor(door="command")
            try:
                written = credit_unheard(actor=actor)
            except Refusal as refusal:
                raise CommandError(str(refusal)) from None
            counted = recount_activities(actor=actor)
            self.stdout.write(f"Wrote {written} entries and counted {counted} days.")
        if found := [str(one) for one in (*disagreements(), *miscounts())]:
            raise CommandError("\n".join(found))
        self.stdout.write("What is credited agrees with the deals and activities.")
