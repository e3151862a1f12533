"""Fills an empty system with the demo company and takes its file of leads to a forecast."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from apps.core.actors import system_actor
from apps.leads.models import Lead
from apps.users.models import User
from salesplatform.demo.story import tell_story


class Command(BaseCommand):
    help = "Load the demo company into an empty system; does nothing where there is data."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO_ALLOWED:
            raise CommandError("Demo sign-ins are not for production.")
        if User.objects.exists() or Lead.objects.with_bin().exists():
            self.stdout.write("There is data already; nothing was loaded.")
            return
        # All of it or nothing: a story broken off in the middle would never be told to its end.
        with transaction.atomic():
            tell_story(actor=system_actor(door="demo"), say=self.say)

    def say(self, sentence: str) -> None:
        """Show progress at once."""
        self.stdout.write(sentence)
        self.stdout.flush()
