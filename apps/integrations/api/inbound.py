"""`/inbound/{partner}`: signed webhooks of other systems (Standard Webhooks)."""

from __future__ import annotations

from typing import Any

import structlog
from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request

from apps.core.actors import Actor, become
from apps.core.api.endpoint import Endpoint, operation
from apps.core.errors import NotAllowed, TooLarge
from apps.integrations.errors import SignatureRejected
from apps.integrations.models import InboundMessage, Partner
from apps.integrations.services.inbox import take_message
from apps.integrations.services.partners import HEADERS, partner_that_signed

MEDIA_TYPE = "application/json"


class SignedByPartner(BaseAuthentication):
    """The partner of the address signed the exact bytes of the body, just now."""

    def authenticate(self, request: Request) -> tuple[Actor, Partner]:
        """The partner's machine client. Raises SignatureRejected, TooLarge."""
        plain: Any = request._request
        stated = plain.headers.get("Content-Length", "")
        if stated.isdecimal() and int(stated) > settings.INBOUND_MAX_BYTES:
            raise TooLarge(f"Send at most {settings.INBOUND_MAX_BYTES:,} bytes.")
        partner = partner_that_signed(
            key=request.parser_context["kwargs"]["partner"],
            body=plain.body,
            headers={name: plain.headers.get(name, "") for name in HEADERS},
        )
        try:
            actor = become(partner.client_id, door="inbound", request_id=plain.request_id)
        except NotAllowed:
            raise SignatureRejected from None
        structlog.contextvars.bind_contextvars(user_id=str(actor.id), partner=partner.key)
        return actor, partner

    def authenticate_header(self, request: Request) -> str:
        """What a partner is told to send."""
        return "Webhook-Signature"


class SignedByPartnerReference(OpenApiAuthenticationExtension):
    """The signature in the API reference."""

    target_class = SignedByPartner
    name = "webhookSignature"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """A header, beside `webhook-id` and `webhook-timestamp`."""
        return {"type": "apiKey", "in": "header", "name": "webhook-signature"}


class InboundReceipt(serializers.Serializer):
    """A message that was taken in; its id here, and whether it had come before."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(InboundMessage.Status.choices)
    is_repeat = serializers.BooleanField()


class Inbound(Endpoint):
    """`/inbound/{partner}`."""

    authentication_classes = (SignedByPartner,)

    @operation(
        summary="Take in a message of a partner",
        description="The messages are described in the AsyncAPI document. The body is signed as "
        "Standard Webhooks say; what came before is known by `event_id`, else by `webhook-id`.",
        answer=InboundReceipt,
        status=202,
        keeps_answer=False,
        request={"application/json": {"type": "object"}},
        parameters=[OpenApiParameter(name, str, "header", required=True) for name in HEADERS],
        tags=("integrations",),
    )
    def post(self, actor: Actor, partner: str) -> dict[str, Any]:
        if self.request.content_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
            raise UnsupportedMediaType(self.request.content_type)
        signer: Any = self.request.auth
        message, is_new = take_message(
            partner=signer,
            body=self.request._request.body,
            message_id=self.request.headers["webhook-id"],
            actor=actor,
        )
        return {"id": message.pk, "status": message.status, "is_repeat": not is_new}
