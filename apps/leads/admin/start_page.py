"""What leads add to the start page."""

from __future__ import annotations

from django.db import connection

from apps.core.actors import Actor
from apps.core.admin.display import list_of, words
from apps.core.admin.start_page import (
    Chart,
    Empty,
    Figure,
    Panel,
    Series,
    kept,
    panel,
    tells_of,
)
from apps.core.rows.scope import OwnedScope
from apps.leads.models import Lead, LeadImport
from apps.leads.permissions import IMPORT_LEAD, READ_LEAD, WRITE_LEAD
from apps.leads.querysets import OPEN_STATUSES

COUNTED_UP_TO = 10_000
_IN_USE = "t.deleted_at IS NULL AND t.merged_into_id IS NULL"

# Each count stops at the limit, so a million leads cost no more than ten thousand.
_COUNTS = """
SELECT s.status, (
    SELECT count(*) FROM (
        SELECT FROM leads_lead t WHERE t.status = s.status AND {in_use} AND {reach} LIMIT {limit}
    ) AS c)
FROM unnest(%s::text[]) AS s(status)
UNION ALL
SELECT 'unrouted', (
    SELECT count(*) FROM (
        SELECT FROM leads_lead t
        WHERE t.owner_id IS NULL AND t.territory_id IS NULL AND t.status = ANY(%s)
          AND {in_use} AND {reach} LIMIT {limit}
    ) AS c)
"""


def counted(number: int) -> str:
    """A count that stops at ten thousand."""
    return f"{COUNTED_UP_TO:,}+" if number > COUNTED_UP_TO else f"{number:,}"


def lead_counts(actor: Actor) -> dict[str, int]:
    """How many leads within reach have each status, and how many nobody has (`unrouted`)."""
    reach = OwnedScope().condition(actor)
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNTS.format(in_use=_IN_USE, reach=reach.sql, limit=COUNTED_UP_TO + 1),
            [*reach.parameters, Lead.Status.values, list(OPEN_STATUSES), *reach.parameters],
        )
        return dict(cursor.fetchall())


@panel(order=10, needs=READ_LEAD)
def leads_by_status(actor: Actor) -> Panel:
    """How many leads stand where."""
    counts = kept("leads", actor, lambda: lead_counts(actor))
    unrouted = counts["unrouted"]
    leads = {status: counts[status] for status in Lead.Status.values}
    figures = [
        Figure(
            "Open leads",
            counted(sum(leads[one] for one in OPEN_STATUSES)),
            note=f"{counted(leads['new'])} new",
            address=list_of(Lead),
        )
    ]
    if actor.reach.everything or actor.reach.unrouted:
        figures.append(
            Figure(
                "Unrouted leads",
                counted(unrouted),
                note="waiting for a territory" if unrouted else "nothing waits",
                address=list_of(Lead, whose="nobody"),
                tone="warning" if unrouted else "",
            )
        )
    return Panel(
        title="Leads by status",
        address=list_of(Lead),
        figures=figures,
        empty=None if any(leads.values()) else _nothing_yet(actor),
        chart=Chart(
            title="Leads by status",
            labels=[words(status) for status in leads],
            series=[Series("Leads", list(leads.values()), "var(--color-primary-500)")],
            headers=("Status", "Leads"),
            rows=[(words(status), counted(number)) for status, number in leads.items()],
        ),
    )


def _nothing_yet(actor: Actor) -> Empty:
    if actor.may(IMPORT_LEAD):
        page = f"{list_of(LeadImport)}add/"
        return Empty("There are no leads within your reach yet.", "Import a file of leads", page)
    if actor.may(WRITE_LEAD):
        return Empty(
            "There are no leads within your reach yet.", "Capture a lead", f"{list_of(Lead)}add/"
        )
    return Empty("There are no leads within your reach yet.")


tells_of(
    Lead,
    needs=READ_LEAD,
    rows=lambda actor: Lead.objects.visible_to(actor).unmerged().defer("search_vector"),
)
