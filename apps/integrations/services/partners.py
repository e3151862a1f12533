"""Partners: added, given fresh secrets, paused, and known again by what they sign."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.errors import InvalidInput, NotFound
from apps.core.journal import publish
from apps.core.permissions import require
from apps.integrations.errors import NotAMachineClient, PartnerKnown, SignatureRejected
from apps.integrations.events import (
    PartnerAdded,
    PartnerConnected,
    PartnerResumed,
    PartnerSecretRotated,
    PartnerStopped,
)
from apps.integrations.models import Partner, PartnerLine
from apps.integrations.permissions import MANAGE_PARTNER
from apps.integrations.rules.addresses import trouble_with_base_url
from apps.integrations.services.signing import (
    SECRET_BYTES,
    IssuedSecret,
    give_secret,
    replace_secret,
    secrets_of,
)
from apps.users.models import Role, User
from apps.users.services.sealing import seal, unseal

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
# What strangers are checked against, so that they wait as long as partners.
_NOBODYS = secrets.token_bytes(SECRET_BYTES)


@command
def add_partner(
    *, key: str, name: str, kind: str, client_id: UUID, actor: Actor
) -> IssuedSecret[Partner]:
    """Let another system tell us things, in the name of a machine client.

    Args:
        key: in its address and queue; the name under which its ids are kept.
        name: for people.
        kind: what it is, which says what it may tell us.
        client_id: the machine client, whose rights and reach count.
        actor: needs `partner:manage`.

    Raises:
        NotAllowed, InvalidInput, PartnerKnown, NotAMachineClient.
    """
    require(actor, MANAGE_PARTNER)
    take_turn("partners")
    if kind not in Partner.Kind.values:
        raise InvalidInput.field("kind", f"Choose one of {', '.join(Partner.Kind.values)}.")
    if Partner.objects.filter(key=key).exists():
        raise PartnerKnown
    client = User.objects.active().filter(pk=client_id).first()
    if client is None or client.role != Role.INTEGRATION:
        raise NotAMachineClient
    partner = Partner(key=key, name=name, kind=kind, client=client)
    issued = give_secret(partner)
    partner.save(force_insert=True)
    publish(
        PartnerAdded(partner_id=partner.pk, key=key, kind=kind, client_id=client.pk), actor=actor
    )
    return issued


@command
def rotate_secret(*, partner_id: UUID, actor: Actor) -> IssuedSecret[Partner]:
    """Give a partner a fresh secret; the former one works for another day, and then no more.

    Raises NotAllowed, NotFound.
    """
    partner = _locked(partner_id, actor)
    issued, former_until = replace_secret(partner, timezone.now())
    partner.save()
    publish(PartnerSecretRotated(partner_id=partner.pk, former_until=former_until), actor=actor)
    return issued


@command
def pause_partner(*, partner_id: UUID, actor: Actor) -> Partner:
    """Let a partner's messages wait outside; twice is fine. Raises NotAllowed, NotFound."""
    partner = _locked(partner_id, actor)
    if not partner.is_paused:
        partner.paused_at = timezone.now()
        partner.save(update_fields=["paused_at", "updated_at"])
        publish(PartnerStopped(partner_id=partner.pk), actor=actor)
    return partner


@command
def resume_partner(*, partner_id: UUID, actor: Actor) -> Partner:
    """Take a partner's messages in again; twice is fine. Raises NotAllowed, NotFound."""
    partner = _locked(partner_id, actor)
    if partner.is_paused:
        partner.paused_at = None
        partner.save(update_fields=["paused_at", "updated_at"])
        publish(PartnerResumed(partner_id=partner.pk), actor=actor)
    return partner


@command
def connect_partner(
    *, partner_id: UUID, actor: Actor, base_url: str = "", token: str = ""
) -> Partner:
    """Say below which URL a partner can be asked, and with which token; without URL, no more.

    The token is shown to nobody again; without another one it stays, as long as the host does.

    Raises NotAllowed, NotFound, InvalidInput.
    """
    partner = _locked(partner_id, actor)
    url = base_url.rstrip("/")
    if url and (trouble := trouble_with_base_url(url, settings.WEBHOOK_LOCAL_HOSTS)):
        raise InvalidInput.field("base_url", trouble)
    if not url and token:
        raise InvalidInput.field("base_url", "A token is for a URL.")
    if not token.isascii() or not token.isprintable():
        raise InvalidInput.field("token", "Give characters that a header can hold.")
    if token:
        partner.token = seal(token.encode(), place=_place_of_token(partner))
    elif urlsplit(url)[:2] != urlsplit(partner.base_url)[:2]:
        partner.token = None
    partner.base_url = url
    partner.save(update_fields=["base_url", "token", "updated_at"])
    PartnerLine.objects.update_or_create(partner=partner, defaults={"position": "", "trouble": ""})
    publish(PartnerConnected(partner_id=partner.pk, base_url=url), actor=actor)
    return partner


def token_of(partner: Partner) -> str:
    """The token with which a partner is asked; empty where there is none."""
    if partner.token is None:
        return ""
    return unseal(bytes(partner.token), place=_place_of_token(partner)).decode()


def _place_of_token(partner: Partner) -> str:
    return f"partner token {partner.pk}"


def partner_that_signed(*, key: str, body: bytes, headers: Mapping[str, str]) -> Partner:
    """The partner with this key, whose signature under the exact bytes is at most five minutes old
    (Standard Webhooks). Raises SignatureRejected, and says nothing more.
    """
    partner = Partner.objects.select_related("client").filter(key=key).first()
    if partner is None:
        _is_signed(_NOBODYS, body, headers)
        raise SignatureRejected
    opened = secrets_of(partner, timezone.now())
    if not any(_is_signed(secret, body, headers) for secret in opened):
        raise SignatureRejected
    return partner


def _is_signed(secret: bytes, body: bytes, headers: Mapping[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):
        # What is no base64, no UTF-8 or has no comma makes the library stumble.
        return False
    return True


def _locked(partner_id: UUID, actor: Actor) -> Partner:
    require(actor, MANAGE_PARTNER)
    partner = Partner.objects.select_for_update().filter(pk=partner_id).first()
    if partner is None:
        raise NotFound
    return partner
