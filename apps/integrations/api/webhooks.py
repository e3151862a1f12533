"""`/webhooks`: where events are sent. A secret is in the answer that makes it, and only there."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.bodies import Body, Text
from apps.core.api.endpoint import Endpoint, listed, operation, shown
from apps.core.api.envelope import json_response
from apps.core.api.schema import row_serializer
from apps.integrations.fields import WEBHOOK_DELIVERIES, WEBHOOKS
from apps.integrations.models import WebhookTarget
from apps.integrations.services.deliveries import replay_to_webhook, send_delivery_again
from apps.integrations.services.signing import IssuedSecret
from apps.integrations.services.webhooks import (
    add_webhook_target,
    change_webhook_target,
    pause_webhook_target,
    remove_webhook_target,
    resume_webhook_target,
    rotate_webhook_secret,
    send_test_event,
)

TAGS = ("webhooks",)
ROW = row_serializer(WEBHOOKS, detail=True)


def _event_types(**options: Any) -> Any:
    return serializers.ListField(
        child=Text(max_length=100),
        max_length=100,
        help_text="Events (`lead.created`), topics (`sales.leads.*`), or `*` for all.",
        **options,
    )


class NewWebhook(Body):
    """Where which events are sent."""

    name = Text(max_length=100)
    url = Text(max_length=500)
    event_types = _event_types()


class WebhookFacts(Body):
    """What changes; the rest stays."""

    name = Text(max_length=100, required=False)
    url = Text(max_length=500, required=False)
    event_types = _event_types(required=False)


class Span(Body):
    """What is sent again: what happened from a moment on, up to another one."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField(required=False)
    event_types = _event_types(required=False)


class IssuedSecretAnswer(serializers.Serializer):
    """What messages are signed with (Standard Webhooks): keep it, it is not shown again."""

    id = serializers.UUIDField()
    secret = serializers.CharField()
    former_until = serializers.DateTimeField(allow_null=True)


class ReplayAnswer(serializers.Serializer):
    """How many events are sent again."""

    events = serializers.IntegerField()


class WebhookCollection(Endpoint):
    """`/webhooks`."""

    get = listed(WEBHOOKS, summary="Where events are sent", tags=TAGS)

    @operation(
        summary="Send events to a URL",
        body=NewWebhook,
        answer=IssuedSecretAnswer,
        status=201,
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> HttpResponse:
        return _shown_once(add_webhook_target(**body, actor=actor), 201)


class WebhookItem(Endpoint):
    """`/webhooks/{target_id}`."""

    get = shown(WEBHOOKS, summary="A target", tags=TAGS)

    @operation(summary="Change a target", body=WebhookFacts, answer=ROW, tags=TAGS)
    def patch(self, actor: Actor, target_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        change_webhook_target(target_id=target_id, **body, actor=actor)
        return WEBHOOKS.one(actor, target_id)

    @operation(summary="Remove a target, with what waits for it", status=204, tags=TAGS)
    def delete(self, actor: Actor, target_id: UUID) -> None:
        remove_webhook_target(target_id=target_id, actor=actor)


class WebhookRotation(Endpoint):
    """`/webhooks/{target_id}/rotate`."""

    @operation(
        summary="Sign with a fresh secret; the former one signs beside it for a day",
        answer=IssuedSecretAnswer,
        tags=TAGS,
    )
    def post(self, actor: Actor, target_id: UUID) -> HttpResponse:
        return _shown_once(rotate_webhook_secret(target_id=target_id, actor=actor), 200)


class WebhookPause(Endpoint):
    """`/webhooks/{target_id}/pause`."""

    @operation(summary="Send nothing for now; what happens waits", status=204, tags=TAGS)
    def post(self, actor: Actor, target_id: UUID) -> None:
        pause_webhook_target(target_id=target_id, actor=actor)


class WebhookResumption(Endpoint):
    """`/webhooks/{target_id}/resume`."""

    @operation(summary="Send what waited", status=204, tags=TAGS)
    def post(self, actor: Actor, target_id: UUID) -> None:
        resume_webhook_target(target_id=target_id, actor=actor)


class WebhookTest(Endpoint):
    """`/webhooks/{target_id}/test`."""

    @operation(summary="Send `webhook.tested` to this target alone", status=202, tags=TAGS)
    def post(self, actor: Actor, target_id: UUID) -> None:
        send_test_event(target_id=target_id, actor=actor)


class WebhookReplay(Endpoint):
    """`/webhooks/{target_id}/replay`."""

    @operation(
        summary="Send again what happened in a span of time",
        body=Span,
        answer=ReplayAnswer,
        tags=TAGS,
    )
    def post(self, actor: Actor, target_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        return {"events": replay_to_webhook(target_id=target_id, **body, actor=actor)}


class WebhookDeliveries(Endpoint):
    """`/webhooks/{target_id}/deliveries`."""

    get = listed(
        WEBHOOK_DELIVERIES,
        summary="What was sent to a target and what waits, newest first",
        tags=TAGS,
        within=WEBHOOKS,
        stated="target_id",
    )


class DeliveryAgain(Endpoint):
    """`/webhooks/deliveries/{delivery_id}/again`."""

    @operation(summary="Send one event again, under the same id", status=202, tags=TAGS)
    def post(self, actor: Actor, delivery_id: UUID) -> None:
        send_delivery_again(delivery_id=delivery_id, actor=actor)


def _shown_once(issued: IssuedSecret[WebhookTarget], status: int) -> HttpResponse:
    """The answer with the secret: a ready response, which is shown and never kept."""
    answer = {
        "id": issued.owner.pk,
        "secret": issued.text,
        "former_until": issued.owner.former_until,
    }
    return json_response(answer, status)
