"""The access log as it is read by those who may: who was shown which rows about people.

Finding who read one row would want an index of every id, which costs several times what writing the
entry does. So only months that are over get one; the running month is read through.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from django.db import connection
from django.db.models import F, QuerySet

from apps.core.actors import Actor
from apps.core.history import CLOCKS_DIFFER_BY
from apps.core.identifiers import made_at
from apps.core.models import Access
from apps.core.partitions import kept_by, month_of, months_of
from apps.core.permissions import READ_AUDIT, require

ACCESSES = kept_by(Access)


def accesses_visible_to(actor: Actor) -> QuerySet[Access]:
    """The access log, newest first. Raises NotAllowed."""
    require(actor, READ_AUDIT)
    return Access.objects.order_by("-sequence")


def of_row(accesses: QuerySet[Access], row_id: UUID) -> QuerySet[Access]:
    """Who was shown one row. Nobody was before it had its id."""
    accesses = accesses.filter(row_ids__contains=[row_id])
    if (made := made_at(row_id)) is not None:
        accesses = accesses.filter(read_at__gte=made - CLOCKS_DIFFER_BY)
    # Sorted afterwards: walking along the sequence would pass by the index of the rows.
    return accesses.order_by((F("sequence") + 0).desc())


def index_months_that_are_over() -> list[str]:
    """Let rows be found quickly in months to which nothing is added; returns the new indexes."""
    today = datetime.now(UTC).date()
    over = [month for month in months_of(ACCESSES) if month_of(month, later=1) < today]
    return [name for month in over if (name := _index(ACCESSES.partition(month)))]


def _index(partition: str) -> str:
    name = f"{partition}_by_row"
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        if cursor.fetchone()[0]:
            return ""
        cursor.execute(f"CREATE INDEX {name} ON {partition} USING gin (row_ids)")
    return name
