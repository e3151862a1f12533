"""Listeners whose effect is a row per event they have heard; a second time is a second row."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from apps.core.journal import Recorded, on
from apps.leads.events import LeadCreated
from tests.faults.events import RecordCounted


@on(LeadCreated, batch=20)
def note_lead(happened: Sequence[Recorded]) -> None:
    """Keep what was heard of leads."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO heard (event_id) VALUES (%s)", [(one.event_id,) for one in happened]
        )


@on(RecordCounted)
def note_count(happened: Sequence[Recorded]) -> None:
    """Keep what was heard of counted records, in the order in which it was."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO counted (record_id, number) VALUES (%s, %s)",
            [(one.event.record_id, one.event.number) for one in happened],
        )
