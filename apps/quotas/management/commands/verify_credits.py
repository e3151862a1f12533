"""Prove that the ledger of credits is what the won deals come to."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.actors import system_actor
from apps.core.errors import Refusal
from apps.quotas.selectors.attainment import disagreements
from apps.quotas.services.credits import credit_unheard


class Command(BaseCommand):
    """`manage.py verify_credits`: nothing, or every credit that is not what its deal says."""

    help = "Compares the ledger of credits with the won deals."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--credit` first credits the deals that were won before there was a ledger."""
        parser.add_argument("--credit", action="store_true", help="credit what nobody heard of")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say that they agree; fail with where they don't."""
        if options["credit"]:
            try:
                written = credit_unheard(actor=system_actor(door="command"))
            except Refusal as refusal:
                raise CommandError(str(refusal)) from None
            self.stdout.write(f"Wrote {written} entries.")
        if found := [str(one) for one in disagreements()]:
            raise CommandError("\n".join(found))
        self.stdout.write("The ledger agrees with the deals.")
