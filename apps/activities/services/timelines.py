"""Timelines: activities and what the journal tells, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.accounts.models import Account
from apps.activities.fields import ACTIVITIES
from apps.activities.permissions import READ_ACTIVITY
from apps.core.actors import Actor
from apps.core.events import kind_of
from apps.core.identifiers import made_at
from apps.core.journal import CLOCKS_DIFFER_BY
from apps.core.models import BusinessEvent
from apps.core.permissions import require
from apps.core.rows.filters import Filter
from apps.core.rows.listing import Listing
from apps.core.rows.scope import OwnedScope
from apps.customer_success.events import NEWS_OF_CUSTOMERS
from apps.customer_success.permissions import READ_CUSTOMER


@dataclass(frozen=True)
class Entry:
    """Something in a timeline: an activity's row, or an event of the journal."""

    at: datetime
    id: UUID
    activity: dict[str, Any] | None = None
    event: BusinessEvent | None = None


@dataclass(frozen=True)
class Timeline:
    """A page of a timeline, newest first; `end` is where the next one begins, if there is one."""

    entries: list[Entry]
    end: Entry | None


# Each half is cut to a page before they are put together.
_TIMELINE = """
SELECT at, id, is_event FROM (
    (SELECT t.timeline_at AS at, t.id, FALSE AS is_event FROM activities_activity AS t
     WHERE {shown} AND {about} AND {reach} AND (t.timeline_at, t.id) < (%s, %s)
     ORDER BY t.timeline_at DESC, t.id DESC LIMIT %s)
    UNION ALL
    (SELECT e.occurred_at, e.event_id, TRUE FROM core_businessevent AS e
     WHERE e.occurred_at >= %s AND (e.occurred_at, e.event_id) < (%s, %s)
       AND (e.aggregate_id = %s AND e.name <> ALL(%s) OR e.aggregate_id = %s AND e.name = ANY(%s))
     ORDER BY e.occurred_at DESC, e.event_id DESC LIMIT %s)
) AS entry ORDER BY at DESC, id DESC LIMIT %s
"""
_LAST = UUID(int=2**128 - 1)
_LONGEST_AHEAD = timedelta(days=36_500)


def timeline_of(
    about: Listing,
    row_id: UUID,
    *,
    actor: Actor,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
) -> Timeline:
    """What was done about a lead, deal or account, and what happened to it, newest first.

    A deal's tells the news of its customer too, to whoever sees that account. Raises NotAllowed,
    NotFound.

    Args:
        about: what `row_id` is one of: leads, opportunities or accounts.
        limit: how many.
        before: the moment and id of the entry after which the page begins.
    """
    require(actor, READ_ACTIVITY)
    row = about.one(actor, row_id)
    news = [kind_of(one).name for one in NEWS_OF_CUSTOMERS]
    customer = _customer_of(row, actor)
    hidden = [] if actor.may(READ_CUSTOMER) else news
    at, last = before or (timezone.now() + _LONGEST_AHEAD, _LAST)
    name = {"leads": "lead_id", "opportunities": "opportunity_id", "accounts": "account_id"}
    is_about, subject = _filter(name[about.name]).condition(str(row_id))
    reach = OwnedScope().condition(actor)
    made = made_at(row_id)
    began = datetime.min.replace(tzinfo=UTC) if made is None else made - CLOCKS_DIFFER_BY
    with connection.cursor() as cursor:
        cursor.execute(
            _TIMELINE.format(shown=ACTIVITIES.condition, about=is_about, reach=reach.sql),
            [
                *(*subject, *reach.parameters, at, last, limit + 1),
                *(began, at, last, row_id, hidden, customer, news, limit + 1, limit + 1),
            ],
        )
        found = cursor.fetchall()
    entries = _entries(found[:limit], actor)
    return Timeline(entries, entries[-1] if len(found) > limit and entries else None)


def _customer_of(row: Mapping[str, Any], actor: Actor) -> UUID | None:
    """The account of a deal, if its news may be told."""
    card = row.get("account")
    if card is None or not actor.may(READ_CUSTOMER):
        return None
    account_id = UUID(card["id"])
    return account_id if Account.objects.one_visible_to(actor, account_id) else None


def _filter(name: str) -> Filter:
    return next(one for one in ACTIVITIES.filters if one.name == name)


def _entries(found: Sequence[tuple[datetime, UUID, bool]], actor: Actor) -> list[Entry]:
    activities = [one for _, one, is_event in found if not is_event]
    rows = {one["id"]: one for one in ACTIVITIES.with_ids(actor, activities)}
    events = {one.event_id: one for one in _events(found)}
    return [
        Entry(at, one, activity=rows.get(str(one)), event=events.get(one))
        for at, one, _ in found
        if str(one) in rows or one in events
    ]


def _events(found: Sequence[tuple[datetime, UUID, bool]]) -> Sequence[BusinessEvent]:
    moments = {one: at for at, one, is_event in found if is_event}
    if not moments:
        return []
    first, last = min(moments.values()), max(moments.values())
    return list(
        BusinessEvent.objects.filter(event_id__in=moments, occurred_at__range=(first, last))
    )
