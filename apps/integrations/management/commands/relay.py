"""Runs the relay: hands the journal's events on to RabbitMQ."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive

from apps.core.management.commands.deliver_events import Command as DeliverEvents
from apps.integrations.services.relay import measure, send_again, the_bus

MEASURE_EVERY_SECONDS = 15.0


class Command(DeliverEvents):
    help = "Hand events on to RabbitMQ until stopped; several may run side by side."
    process = "relay"
    measured_at = 0.0

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--again-since",
            metavar="MOMENT",
            help="only plan what happened since 2026-01-31T08:00:00Z to be sent again",
        )
        parser.add_argument("--topic", action="append", default=[], help="and of this topic")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.AMQP_URL:
            raise CommandError("AMQP_URL names no broker.")
        if options["again_since"]:
            self.plan_again(options["again_since"], options["topic"])
            return
        try:
            super().handle(*args, **options)
        finally:
            the_bus().close()

    def plan_again(self, moment: str, topics: list[str]) -> None:
        """Say how many events will be sent again."""
        since = parse_datetime(moment)
        if since is None or is_naive(since):
            raise CommandError("A moment is written like 2026-01-31T08:00:00Z.")
        count = send_again(since=since, topics=topics)
        self.stdout.write(f"{count} events will be sent again.")

    def work(self) -> int:
        """Hand on what waits, and measure now and then."""
        if time.monotonic() - self.measured_at > MEASURE_EVERY_SECONDS:
            self.measured_at = time.monotonic()
            measure()
        return super().work()
