"""`/audit`: who made what of the rows, and who was shown those about people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from apps.core.access_log import accesses_visible_to, of_row
from apps.core.accesses import Reading, personal_kinds
from apps.core.actors import Actor
from apps.core.api.bodies import Body
from apps.core.api.endpoint import Endpoint, operation
from apps.core.history import (
    Fields,
    about,
    changes_visible_to,
    everything_audited,
    fields_of_each,
)
from apps.core.models import Access, Change
from apps.core.rows.listing import DEFAULT_LIMIT, LARGEST_LIMIT


class AuditedObject(serializers.CharField):
    """A row as `leads:<id>`."""

    @property
    def kinds(self) -> Iterable[str]:
        """What it can be."""
        return everything_audited()

    def to_internal_value(self, data: Any) -> Any:
        """The kind and the id."""
        kind, _, row_id = super().to_internal_value(data).partition(":")
        if kind not in self.kinds:
            raise ValidationError(f"Give {', '.join(self.kinds)}, a colon and an id.")
        return kind, serializers.UUIDField().to_internal_value(row_id)


class PersonalObject(AuditedObject):
    """A row about a person as `leads:<id>`."""

    @property
    def kinds(self) -> Iterable[str]:
        """What it can be."""
        return personal_kinds()


class AuditQuery(Body):
    """Which entries are asked for; the newest come first."""

    user = serializers.UUIDField(required=False)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)
    limit = serializers.IntegerField(
        required=False, min_value=1, max_value=LARGEST_LIMIT, default=DEFAULT_LIMIT
    )
    before = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=2**63 - 1,
        help_text="The last `sequence` of the page before.",
    )


class ChangesQuery(AuditQuery):
    """Which changes are asked for; the newest come first."""

    object = AuditedObject(required=False, max_length=100)


class AccessesQuery(AuditQuery):
    """Which accesses are asked for; the newest come first."""

    object = PersonalObject(required=False, max_length=100)


class FieldChangeAnswer(serializers.Serializer):
    """A field of a change."""

    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class ChangeAnswer(serializers.Serializer):
    """What a write did to one row."""

    sequence = serializers.IntegerField()
    object = serializers.CharField()
    action = serializers.ChoiceField(Change.Action.choices)
    changed_at = serializers.DateTimeField()
    user = serializers.UUIDField(allow_null=True)
    door = serializers.CharField(allow_blank=True)
    request_id = serializers.CharField(allow_blank=True)
    erased_at = serializers.DateTimeField(allow_null=True)
    fields_changed = serializers.DictField(child=FieldChangeAnswer())


class ChangesAnswer(serializers.Serializer):
    """A page of changes."""

    data = ChangeAnswer(many=True)
    has_more = serializers.BooleanField()


class Changes(Endpoint):
    """`/audit/changes`."""

    @operation(
        summary="Who made what of the rows",
        query=ChangesQuery,
        answer=ChangesAnswer,
        tags=("audit",),
    )
    def get(self, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
        limit = query["limit"]
        found = list(_asked_for(changes_visible_to(actor), query)[: limit + 1])
        return {
            "data": [
                _answer(one, fields)
                for one, fields in zip(
                    found[:limit], fields_of_each(found[:limit], actor), strict=True
                )
            ],
            "has_more": len(found) > limit,
        }


def _asked_for(changes: QuerySet[Change], query: dict[str, Any]) -> QuerySet[Change]:
    if "object" in query:
        kind, row_id = query["object"]
        changes = about(changes, row_id).filter(kind=kind)
    given = {
        "actor_id": query.get("user"),
        "changed_at__gte": query.get("since"),
        "changed_at__lt": query.get("until"),
        "sequence__lt": query.get("before"),
    }
    return changes.filter(**{name: value for name, value in given.items() if value is not None})


def _answer(change: Change, fields: Fields) -> dict[str, Any]:
    return {
        "sequence": change.sequence,
        "object": f"{change.kind}:{change.row_id}",
        "action": change.action,
        "changed_at": change.changed_at,
        "user": change.actor_id,
        "door": change.door,
        "request_id": change.request_id,
        "erased_at": change.erased_at,
        "fields_changed": {
            name: {"before": before, "after": after}
            for name, (before, after) in sorted(fields.items())
        },
    }


class AccessAnswer(serializers.Serializer):
    """Rows about people that somebody was shown in one request."""

    sequence = serializers.IntegerField()
    kind = serializers.CharField()
    reading = serializers.ChoiceField([(one.value, one.value) for one in Reading])
    row_ids = serializers.ListField(child=serializers.UUIDField())
    read_at = serializers.DateTimeField()
    user = serializers.UUIDField()
    door = serializers.CharField()
    request_id = serializers.CharField()


class AccessesAnswer(serializers.Serializer):
    """A page of accesses."""

    data = AccessAnswer(many=True)
    has_more = serializers.BooleanField()


class Accesses(Endpoint):
    """`/audit/accesses`."""

    @operation(
        summary="Who was shown which rows about people",
        query=AccessesQuery,
        answer=AccessesAnswer,
        tags=("audit",),
    )
    def get(self, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
        limit = query["limit"]
        found = list(_accesses_asked_for(accesses_visible_to(actor), query)[: limit + 1])
        return {"data": list(map(_access, found[:limit])), "has_more": len(found) > limit}


def _accesses_asked_for(accesses: QuerySet[Access], query: dict[str, Any]) -> QuerySet[Access]:
    if "object" in query:
        kind, row_id = query["object"]
        accesses = of_row(accesses, row_id).filter(kind=kind)
    given = {
        "actor_id": query.get("user"),
        "read_at__gte": query.get("since"),
        "read_at__lt": query.get("until"),
        "sequence__lt": query.get("before"),
    }
    return accesses.filter(**{name: value for name, value in given.items() if value is not None})


def _access(access: Access) -> dict[str, Any]:
    return {
        "sequence": access.sequence,
        "kind": access.kind,
        "reading": access.reading,
        "row_ids": access.row_ids,
        "read_at": access.read_at,
        "user": access.actor_id,
        "door": access.door,
        "request_id": access.request_id,
    }
