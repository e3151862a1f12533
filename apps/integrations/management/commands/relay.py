"""Runs the relay: hands the journal's events on to RabbitMQ."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from apps.core.errors import NotFound
from apps.core.management.commands.deliver_events import Command as DeliverEvents
from apps.core.management.commands.deliver_events import moment
from apps.integrations.services.relay import measure, send_again, send_chosen_again, the_bus

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
            type=moment,
            help="only plan what happened since 2026-01-31T08:00:00Z to be sent again",
        )
        parser.add_argument("--until", metavar="MOMENT", type=moment, help="and before this")
        parser.add_argument("--topic", action="append", default=[], help="and of this topic")
        parser.add_argument("--event", action="append", default=[], help="and of this name")
        parser.add_argument(
            "--again", action="append", metavar="ID", type=UUID, help="or only plan this event"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.AMQP_URL:
            raise CommandError("AMQP_URL names no broker.")
        if options["again_since"] or options["again"]:
            self.plan_again(options)
            return
        if options["until"] or options["topic"] or options["event"]:
            raise CommandError("--again-since says since when.")
        try:
            super().handle(*args, **options)
        finally:
            the_bus().close()

    def plan_again(self, options: dict[str, Any]) -> None:
        """Say how many events will be sent again."""
        try:
            if options["again"]:
                count = send_chosen_again(options["again"])
            else:
                count = send_again(
                    since=options["again_since"],
                    until=options["until"],
                    topics=options["topic"],
                    names=options["event"],
                )
        except NotFound as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write(f"{count} events will be sent again.")

    def work(self) -> int:
        """Hand on what waits, and measure now and then."""
        if time.monotonic() - self.measured_at > MEASURE_EVERY_SECONDS:
            self.measured_at = time.monotonic()
            measure()
        return super().work()
