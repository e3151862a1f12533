"""Runs the receiver: takes what partners put into RabbitMQ into the inbox."""

from __future__ import annotations

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.integrations.management.receiving import Receiver


class Command(BaseCommand):
    help = "Take messages of partners from RabbitMQ until stopped; several may run side by side."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.AMQP_URL:
            raise CommandError("AMQP_URL names no broker.")
        receiver = Receiver(settings.AMQP_URL)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, receiver.stop)
        receiver.run()
