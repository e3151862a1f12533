"""Runs the sender of webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from apps.core.actors import system_actor
from apps.core.management.commands.deliver_events import Command as DeliverEvents
from apps.core.management.commands.deliver_events import moment
from apps.integrations.services.deliveries import replay_to_webhook
from apps.integrations.services.sender import Sender


class Command(DeliverEvents):
    help = "Send events to webhooks until stopped; several may run side by side."
    process = "webhooks"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--target", type=UUID, help="the target that --again-since means")
        parser.add_argument(
            "--again-since",
            metavar="MOMENT",
            type=moment,
            help="only plan what happened since 2026-01-31T08:00:00Z to be sent again",
        )
        parser.add_argument("--type", action="append", default=[], help="and of this event")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["again_since"]:
            self.plan_again(options["target"], options["again_since"], options["type"])
            return
        self.sender = Sender()
        try:
            super().handle(*args, **options)
        finally:
            self.sender.stop()

    def plan_again(self, target_id: UUID | None, since: datetime, types: list[str]) -> None:
        """Say how many events will be sent again."""
        if target_id is None:
            raise CommandError("--target says to whom.")
        count = replay_to_webhook(
            target_id=target_id, since=since, event_types=types, actor=system_actor(door="command")
        )
        self.stdout.write(f"{count} events will be sent again.")

    def work(self) -> int:
        """Send what waits; while messages are under way nobody sleeps."""
        return self.sender.work() or int(self.sender.is_busy)
