"""Shows what lies in the inbox, and handles again what failed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.actors import system_actor
from apps.core.errors import Refusal
from apps.integrations.models import InboundMessage
from apps.integrations.services.inbox import replay_message

FAILED = (InboundMessage.Status.REFUSED, InboundMessage.Status.DEAD)


class Command(BaseCommand):
    help = "List messages of partners that were refused or given up; --replay handles them again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--partner", help="those of this partner, by its key")
        parser.add_argument("--id", type=UUID, help="this one alone")
        parser.add_argument("--replay", action="store_true", help="handle them again")

    def handle(self, *args: Any, **options: Any) -> None:
        failed = InboundMessage.objects.filter(status__in=FAILED).select_related("partner")
        if options["partner"]:
            failed = failed.filter(partner__key=options["partner"])
        if options["id"]:
            failed = failed.filter(pk=options["id"])
            if not failed.exists():
                raise CommandError("No such message failed.")
        for message in failed.order_by("created_at", "pk").iterator():
            self.stdout.write(
                f"{message.pk} {message.created_at:%Y-%m-%d %H:%M} {message.status}"
                f" {message.partner.key} {message.type or '-'} {message.message_id}:"
                f" {message.reason}"
            )
            if options["replay"]:
                self.replay(message.pk)

    def replay(self, message_id: UUID) -> None:
        """Handle one again, and say so."""
        try:
            replay_message(message_id=message_id, actor=system_actor(door="command"))
        except Refusal as refusal:
            self.stdout.write(f"  stays as it is: {refusal.message}")
        else:
            self.stdout.write("  will be handled again")
