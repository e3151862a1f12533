"""Learns scores from the command line: the same job as by the clock, worked off here."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.actors import system_actor
from apps.core.errors import Refusal
from apps.core.jobs import worked_off
from apps.core.models import Job
from apps.intelligence.rules.columns import Subject
from apps.intelligence.services.training import train_score


class Command(BaseCommand):
    help = "Learn the scores of deals and leads from what has come to an end."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "subjects", nargs="*", help=f"Some of {', '.join(Subject.values)}; all without."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        subjects = list(dict.fromkeys(options["subjects"])) or list(Subject)
        if unknown := [one for one in subjects if one not in Subject.values]:
            raise CommandError(f"There is no score of a {unknown[0]}.")
        for subject in subjects:
            self._learn(subject)

    def _learn(self, subject: str) -> None:
        try:
            asked = train_score(subject=subject, actor=system_actor(door="command"))
        except Refusal as refusal:
            raise CommandError(str(refusal)) from None
        said = ""
        for job in worked_off(asked.pk):
            if job.message != said:
                said = job.message
                self.stdout.write(f"{Subject(subject).label}: {said}")
        asked.refresh_from_db()
        if asked.status != Job.Status.COMPLETED:
            raise CommandError(f"{Subject(subject).label}: {asked.status}.")
