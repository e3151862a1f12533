"""Runs the deliverer: hands every event in the journal to the handlers that listen."""

from __future__ import annotations

import logging
import signal
import time
from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections, connection
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive

from apps.core.journal import NotNow, deliver
from apps.core.poke import poke

log = logging.getLogger(__name__)


LONGEST_PAUSE_SECONDS = 5.0


def moment(text: str) -> datetime:
    """A moment on a command line. Raises ArgumentTypeError."""
    found = parse_datetime(text)
    if found is None or is_naive(found):
        raise ArgumentTypeError("A moment is written like 2026-01-31T08:00:00Z.")
    return found


class Command(BaseCommand):
    help = "Deliver events to their handlers until stopped."
    process = "events"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="deliver what waits, then stop")
        parser.add_argument("--poll", type=float, default=1.0, help="seconds between two looks")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            while self.work():
                pass
            return
        self.stopping = False
        self.pause = 0.0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        log.info("delivering %s", self.process)
        while not self.stopping:
            self.look(options["poll"])

    def stop(self, *_: Any) -> None:
        """Finish the batch at hand, then end."""
        self.stopping = True

    def work(self) -> int:
        """Deliver what waits; returns how many events were heard."""
        return deliver(self.process)

    def look(self, seconds: float) -> None:
        """Deliver what waits; when nothing does, sleep until nudged."""
        try:
            close_old_connections()
            heard = self.work()
            self.pause = 0.0
            if not heard:
                poke.wait(seconds)
        except NotNow as reason:
            self.pause = min(max(self.pause * 2, 0.25), LONGEST_PAUSE_SECONDS)
            log.warning("%s; trying again in %g s", reason, self.pause)
            time.sleep(self.pause)
        except DatabaseError:
            log.warning("the database does not answer; trying again")
            connection.close()
            time.sleep(seconds)
