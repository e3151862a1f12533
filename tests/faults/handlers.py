"""A listener whose effect is a row per event it has heard."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from apps.core.journal import Recorded, on
from apps.leads.events import LeadCreated


@on(LeadCreated, batch=20)
def note_lead(happened: Sequence[Recorded]) -> None:
    """Keep what was heard; a second time would be a second row."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO heard (event_id) VALUES (%s)", [(one.event_id,) for one in happened]
        )
