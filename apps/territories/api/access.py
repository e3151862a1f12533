"""`/access/explain`: why somebody can see a row, or why not."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from apps.core.actors import Actor
from apps.core.api.bodies import Body, Identifier, Text
from apps.core.api.endpoint import Endpoint, operation
from apps.core.rows.listing import listings
from apps.territories.selectors import explain_access


class RowName(Text):
    """The kind and id of a row, such as `leads:019a0000-0000-7000-8000-000000000001`."""

    def to_internal_value(self, data: Any) -> Any:
        kind, _, text = super().to_internal_value(data).partition(":")
        if kind not in listings():
            raise ValidationError(f"Give kind:id, the kind one of {', '.join(sorted(listings()))}.")
        try:
            return listings()[kind], UUID(text)
        except ValueError:
            raise ValidationError("Give a UUID after the colon.") from None


class ExplainQuery(Body):
    """A row, and whoever asks for it."""

    object = RowName(max_length=100, help_text="Its kind and id: leads:019a….")
    user = Identifier()


class RuleAnswer(serializers.Serializer):
    """A rule: whether it holds, and why."""

    rule = serializers.CharField()
    holds = serializers.BooleanField()
    sentence = serializers.CharField()


class ExplanationAnswer(serializers.Serializer):
    """Whether a person sees a row: every condition must hold, and one of the rules."""

    object = serializers.CharField()
    user = serializers.UUIDField()
    is_visible = serializers.BooleanField()
    conditions = RuleAnswer(many=True)
    rules = RuleAnswer(many=True)


class AccessExplanation(Endpoint):
    """`/access/explain`."""

    @operation(
        summary="Why a person can see a row, or why not",
        query=ExplainQuery,
        answer=ExplanationAnswer,
        tags=("access",),
    )
    def get(self, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
        listing, row_id = query["object"]
        found = explain_access(listing=listing, row_id=row_id, user_id=query["user"], actor=actor)
        return {"object": f"{listing.name}:{row_id}", "user": query["user"], **asdict(found)}
