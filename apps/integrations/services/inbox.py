"""The inbox: a partner's message is kept first, and handled after, once in effect.

Taking in checks, keeps and answers. Handling runs one service in the transaction that marks the
message handled: whoever is killed in between leaves it as it was, to be handled again. What may
succeed later is tried again, ever later, and then lies dead; what is refused for good says why.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from django.db import DatabaseError, IntegrityError, connection, models, transaction
from django.utils import timezone

from apps.core.actors import Actor, become
from apps.core.commands import command
from apps.core.contact_points import email_key
from apps.core.data_keys import destroy_keys
from apps.core.errors import InvalidInput, NotFound, Refusal, TakesTooLong, Unavailable
from apps.core.journal import publish
from apps.core.permissions import require
from apps.core.retention import Due, forgets
from apps.integrations.errors import NothingToHandle, PartnerPaused
from apps.integrations.events import MessageReceived
from apps.integrations.metrics import inbox_received, inbox_settled
from apps.integrations.models import InboundMessage, Partner
from apps.integrations.permissions import MANAGE_PARTNER
from apps.integrations.services.messages import Heard, Message, understand

log = logging.getLogger(__name__)

Status = InboundMessage.Status
ATTEMPTS = 10
LONGEST_WAIT = timedelta(hours=6)
# The event of its arrival comes first; the clock finds what that one left.
FIRST_LOOK = timedelta(minutes=1)
# What these refuse may stand tomorrow: a deal or an account that is still on its way.
_PASSING = (NotFound, Unavailable, TakesTooLong)
FORGOTTEN_AT_ONCE = 1000


@command
def take_message(
    *, partner: Partner, body: bytes, actor: Actor, message_id: str = ""
) -> tuple[InboundMessage, bool]:
    """Take in what a partner says, to be handled soon.

    Args:
        partner: who is known to have sent it.
        body: as it came.
        actor: the partner's machine client.
        message_id: under which it was sent.

    Returns:
        The message, and whether it is new.

    Raises:
        PartnerPaused; InvalidInput naming the wrong field.
    """
    if partner.is_paused:
        raise PartnerPaused
    message = understand(body, partner=partner.key, kind=partner.kind, message_id=message_id)
    return _keep(_received(partner, message, body), actor)


@command
def take_delivery(
    *, partner: Partner, body: bytes, actor: Actor, message_id: str = ""
) -> tuple[InboundMessage, bool]:
    """Take in what a queue delivers, where nobody hears a refusal: what can't be understood is kept
    as dead, with the reason.
    """
    try:
        message = understand(body, partner=partner.key, kind=partner.kind, message_id=message_id)
    except InvalidInput as refusal:
        return _keep(_unreadable(partner, body, message_id, refusal), actor)
    return _keep(_received(partner, message, body), actor)


def _received(partner: Partner, message: Message, body: bytes) -> InboundMessage:
    return InboundMessage(
        partner=partner,
        message_id=message.id,
        type=message.type,
        told_at=message.told_at,
        due_at=timezone.now() + FIRST_LOOK,
        email=message.payload.address,
        email_key=email_key(message.payload.address),
        body=body.decode(),
    )


def _unreadable(
    partner: Partner, body: bytes, message_id: str, refusal: InvalidInput
) -> InboundMessage:
    return InboundMessage(
        partner=partner,
        message_id=message_id or sha256(body).hexdigest(),
        status=Status.DEAD,
        reason=refusal.message,
        body=body.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}"),
    )


def _keep(message: InboundMessage, actor: Actor) -> tuple[InboundMessage, bool]:
    """Write a message, unless it is there already: of two at once, one waits and finds it."""
    same = InboundMessage.objects.filter(partner=message.partner, message_id=message.message_id)
    if known := same.first():
        return known, False
    try:
        with transaction.atomic():
            message.save(force_insert=True)
    except IntegrityError:
        return same.get(), False
    inbox_received.labels(message.partner.key).inc()
    if message.status == Status.RECEIVED:
        publish(_arrival(message), actor=actor)
    return message, True


def _arrival(message: InboundMessage) -> MessageReceived:
    return MessageReceived(message_id=message.pk, partner=message.partner.key, type=message.type)


@command
def handle_message(*, message_id: UUID, actor: Actor) -> InboundMessage | None:
    """Carry out what a message says, in the name of its partner's machine client.

    Returns the message; None where there is nothing to do, or somebody is at it.
    """
    waiting = InboundMessage.objects.filter(pk=message_id, status=Status.RECEIVED)
    message = (
        waiting.select_related("partner", "data_key")
        .select_for_update(of=("self",), skip_locked=True)
        .first()
    )
    if message is None:
        return None
    message.attempts += 1
    try:
        with transaction.atomic():
            _carry_out(message)
    except DatabaseError as failure:
        if not connection.is_usable():
            raise
        _put_off(message, failure)
    except Exception as failure:
        _put_off(message, failure)
    else:
        message.status, message.reason = Status.HANDLED, ""
        message.handled_at, message.due_at = timezone.now(), None
    message.save(
        update_fields=["status", "attempts", "reason", "handled_at", "due_at", "updated_at"]
    )
    if message.status != Status.RECEIVED:
        inbox_settled.labels(message.partner.key, message.status).inc()
    return message


def _carry_out(message: InboundMessage) -> None:
    """Let the service of its type do it; the message's id is what the journal correlates by."""
    partner = message.partner
    understood = understand(
        message.body.encode(),
        partner=partner.key,
        kind=partner.kind,
        message_id=message.message_id,
    )
    client = become(partner.client_id, door="inbound", request_id=str(message.pk))
    understood.payload.carry_out(Heard(partner.key, understood.told_at, client))


def _put_off(message: InboundMessage, failure: Exception) -> None:
    """Try again later, ever later; refuse what won't be otherwise then."""
    passes = True
    if isinstance(failure, Refusal):
        message.reason = f"{failure.reason}: {failure.message}"[:2000]
        passes = isinstance(failure, _PASSING)
    else:
        log.error("message %s failed", message.pk, exc_info=failure)
        message.reason = f"internal_error: {type(failure).__name__}"
    if not passes:
        message.status, message.due_at = Status.REFUSED, None
    elif message.attempts >= ATTEMPTS:
        message.status, message.due_at = Status.DEAD, None
    else:
        wait = min(timedelta(seconds=30) * 2**message.attempts, LONGEST_WAIT)
        message.due_at = timezone.now() + wait


def handle_due(*, actor: Actor) -> int:
    """Handle the messages whose time has come, oldest first; returns how many that were."""
    due = InboundMessage.objects.filter(status=Status.RECEIVED, due_at__lte=timezone.now())
    ids: Sequence[UUID] = list(due.order_by("due_at").values_list("pk", flat=True))
    return sum(handle_message(message_id=one, actor=actor) is not None for one in ids)


@command
def replay_message(*, message_id: UUID, actor: Actor) -> InboundMessage:
    """Handle a message that was refused or given up once more, now.

    Raises NotAllowed, NotFound, NothingToHandle; InvalidInput where it still can't be understood.
    """
    require(actor, MANAGE_PARTNER)
    message = (
        InboundMessage.objects.select_related("partner", "data_key")
        .select_for_update(of=("self",))
        .filter(pk=message_id)
        .first()
    )
    if message is None:
        raise NotFound
    if not message.has_failed or not message.body:
        raise NothingToHandle
    understood = understand(
        message.body.encode(),
        partner=message.partner.key,
        kind=message.partner.kind,
        message_id=message.message_id,
    )
    message.type, message.told_at = understood.type, understood.told_at
    message.status, message.attempts, message.reason = Status.RECEIVED, 0, ""
    message.due_at = timezone.now() + FIRST_LOOK
    message.save()
    publish(_arrival(message), actor=actor)
    return message


@dataclass(frozen=True)
class _Bodies:
    """Bodies of messages that were handled before a moment."""

    before: datetime

    def count(self) -> int:
        """How many there are."""
        return self._due().count()

    def forget(self) -> int:
        """Drop them batch by batch, and destroy what opened them; the messages stay known."""
        forgotten = 0
        while count := self._forget_some():
            forgotten += count
        return forgotten

    def _due(self) -> models.QuerySet[InboundMessage]:
        handled = InboundMessage.objects.filter(status=Status.HANDLED, handled_at__lt=self.before)
        return handled.exclude(data_key__destroyed_at__isnull=False)

    @transaction.atomic
    def _forget_some(self) -> int:
        some = self._due().select_for_update(of=("self",), skip_locked=True)
        found = list(some.values_list("pk", "data_key_id")[:FORGOTTEN_AT_ONCE])
        emptied = {"body": b"", "email": b"", "email_key": ""}
        InboundMessage.objects.filter(pk__in=[pk for pk, _ in found]).update(**emptied)
        destroy_keys(key for _, key in found)
        return len(found)


@forgets("integrations.inbound_bodies", "What partners' messages say, once handled", days=30)
def old_bodies(before: datetime) -> Due:
    """Bodies of messages that were handled long ago."""
    return _Bodies(before)
