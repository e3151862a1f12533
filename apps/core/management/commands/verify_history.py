"""Prove that nobody altered what is written once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.seals import breaks, detached_months, heads


class Command(BaseCommand):
    """`manage.py verify_history`: the heads of the chains, or the first broken link of each."""

    help = "Compares what is written once with its seals."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what holds; fail with what does not."""
        found = [str(one) for one in breaks()]
        if found:
            raise CommandError("\n".join(found))
        for seal in heads():
            self.stdout.write(f"{seal} holds, head {bytes(seal.chain).hex()}")
        for table, month in detached_months():
            self.stdout.write(f"{table} {month:%Y-%m} was taken away and is not verified")
