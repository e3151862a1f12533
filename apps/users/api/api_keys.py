"""`/api-keys`: keys of machine clients. A secret is in the answer that makes it, and only there."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.bodies import Body, Identifier, Text, WholeNumber
from apps.core.api.endpoint import Endpoint, listed, operation, shown
from apps.core.api.envelope import json_response
from apps.users.fields import API_KEYS
from apps.users.services.api_keys import IssuedKey, issue_api_key, revoke_api_key, rotate_api_key


class NewApiKey(Body):
    """A key for a machine client; without scopes it has all rights of the client's role."""

    user_id = Identifier()
    name = Text(max_length=100)
    scopes = serializers.ListField(
        child=Text(max_length=100), max_length=200, required=False, allow_null=True
    )
    expires_at = serializers.DateTimeField()


class Rotation(Body):
    """How long the former secret works on, and until when the key does from now on."""

    grace_minutes = WholeNumber(max_value=10_080, default=60)
    expires_at = serializers.DateTimeField(required=False)


class IssuedKeyAnswer(serializers.Serializer):
    """A key as the client sends it: keep it, it is not shown again."""

    id = serializers.UUIDField()
    prefix = serializers.CharField()
    api_key = serializers.CharField()
    expires_at = serializers.DateTimeField()
    former_until = serializers.DateTimeField(allow_null=True)


class ApiKeyCollection(Endpoint):
    """`/api-keys`."""

    get = listed(API_KEYS, summary="Keys of machine clients", tags=("clients",))

    @operation(
        summary="Give a machine client a key",
        body=NewApiKey,
        answer=IssuedKeyAnswer,
        status=201,
        tags=("clients",),
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> HttpResponse:
        return _shown_once(issue_api_key(**body, actor=actor), 201)


class ApiKeyItem(Endpoint):
    """`/api-keys/{api_key_id}`."""

    get = shown(API_KEYS, summary="A key", tags=("clients",))


class ApiKeyRotation(Endpoint):
    """`/api-keys/{api_key_id}/rotate`."""

    @operation(
        summary="Replace the secret of a key; the former one works on for a while",
        body=Rotation,
        answer=IssuedKeyAnswer,
        tags=("clients",),
    )
    def post(self, actor: Actor, api_key_id: UUID, body: dict[str, Any]) -> HttpResponse:
        return _shown_once(rotate_api_key(api_key_id=api_key_id, **body, actor=actor), 200)


class ApiKeyRevocation(Endpoint):
    """`/api-keys/{api_key_id}/revoke`."""

    @operation(summary="Take a key away, within seconds", status=204, tags=("clients",))
    def post(self, actor: Actor, api_key_id: UUID) -> None:
        revoke_api_key(api_key_id=api_key_id, actor=actor)


def _shown_once(issued: IssuedKey, status: int) -> HttpResponse:
    """The answer with the secret: a ready response, which is shown and never kept."""
    key = issued.owner
    answer = {
        "id": key.pk,
        "prefix": key.prefix,
        "api_key": issued.text,
        "expires_at": key.expires_at,
        "former_until": key.former_until,
    }
    return json_response(answer, status)
