"""`/accounts/{id}/timeline` and its sisters: what was done about a row, and what happened to it."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from rest_framework import serializers

from apps.accounts.fields import ACCOUNTS
from apps.activities.fields import ACTIVITIES
from apps.activities.services.timelines import Entry, timeline_of
from apps.core.actors import Actor
from apps.core.api.bodies import Body, Text
from apps.core.api.endpoint import Endpoint, operation
from apps.core.api.schema import Card, row_serializer
from apps.core.errors import InvalidInput
from apps.core.models import BusinessEvent
from apps.core.rows.listing import DEFAULT_LIMIT, LARGEST_LIMIT, Listing
from apps.leads.fields import LEADS
from apps.opportunities.fields import OPPORTUNITIES
from apps.users.fields import USER_NAMES


class TimelineQuery(Body):
    """How many entries, and after which."""

    limit = serializers.IntegerField(min_value=1, max_value=LARGEST_LIMIT, required=False)
    cursor = Text(max_length=200, required=False, help_text="From `next_cursor`.")


class EventAnswer(serializers.Serializer):
    """Something that happened: its name, who made it happen, and what it says besides ids."""

    name = serializers.CharField()
    user = Card(allow_null=True)
    details = serializers.DictField()


class EntryAnswer(serializers.Serializer):
    """An activity or an event, and when it was."""

    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    activity = row_serializer(ACTIVITIES)(allow_null=True)
    event = EventAnswer(allow_null=True)


class Place(serializers.Serializer):
    """Where a page stands in its timeline."""

    limit = serializers.IntegerField()
    has_more = serializers.BooleanField()
    next_cursor = serializers.CharField(allow_null=True)


class TimelineAnswer(serializers.Serializer):
    """A page of a timeline, newest first."""

    data = EntryAnswer(many=True)
    pagination = Place()


def _timeline(about: Listing, noun: str) -> Any:
    def get(self: Endpoint, actor: Actor, query: dict[str, Any], **path: UUID) -> dict[str, Any]:
        (row_id,) = path.values()
        limit, before = query.get("limit", DEFAULT_LIMIT), _place(query.get("cursor", ""))
        found = timeline_of(about, row_id, actor=actor, limit=limit, before=before)
        users = USER_NAMES.cards({str(one.event.actor_id) for one in found.entries if one.event})
        return {
            "data": [_shown(one, users) for one in found.entries],
            "pagination": {
                "limit": limit,
                "has_more": found.end is not None,
                "next_cursor": None if found.end is None else _cursor(found.end),
            },
        }

    return operation(
        summary=f"What was done about {noun} and what happened to it, newest first",
        query=TimelineQuery,
        answer=TimelineAnswer,
        tags=("activities",),
    )(get)


def _shown(entry: Entry, users: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": entry.at,
        "activity": entry.activity,
        "event": None if entry.event is None else _event(entry.event, users),
    }


def _event(event: BusinessEvent, users: dict[str, Any]) -> dict[str, Any]:
    details = {
        name: value
        for name, value in event.payload.items()
        if not name.endswith(("_id", "_ids")) and not isinstance(value, dict | list)
    }
    return {"name": event.name, "user": users.get(str(event.actor_id)), "details": details}


def _cursor(entry: Entry) -> str:
    place = orjson.dumps([entry.at, entry.id])
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def _place(cursor: str) -> tuple[datetime, UUID] | None:
    if not cursor:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        at, entry_id = orjson.loads(base64.urlsafe_b64decode(padded.encode()))
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError(at)
        return moment, UUID(entry_id)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise InvalidInput.field("cursor", "This is not a cursor of a timeline.") from None


class LeadStory(Endpoint):
    """`/leads/{lead_id}/timeline`."""

    get = _timeline(LEADS, "a lead")


class OpportunityStory(Endpoint):
    """`/opportunities/{opportunity_id}/timeline`."""

    get = _timeline(OPPORTUNITIES, "an opportunity")


class AccountStory(Endpoint):
    """`/accounts/{account_id}/timeline`."""

    get = _timeline(ACCOUNTS, "an account")
