"""Targets of webhooks: adding, changing, pausing and removing them, and their secrets."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.errors import InvalidInput
from apps.core.journal import publish, want
from apps.core.permissions import require
from apps.integrations.errors import WebhookNameTaken, WebhookNotFound
from apps.integrations.events import (
    WebhookSecretRotated,
    WebhookTargetAdded,
    WebhookTargetChanged,
    WebhookTargetPaused,
    WebhookTargetRemoved,
    WebhookTargetResumed,
    WebhookTargetTested,
)
from apps.integrations.models import WebhookDelivery, WebhookLine, WebhookTarget
from apps.integrations.permissions import MANAGE_WEBHOOK
from apps.integrations.rules.addresses import trouble_with_url
from apps.integrations.rules.deliveries import names_wanted, unknown_patterns
from apps.integrations.services.signing import IssuedSecret, give_secret, replace_secret

PLANNER = "integrations.plan_deliveries"
# Each is sent to by a thread of its own.
MOST_TARGETS = 200


@command
def add_webhook_target(
    *, name: str, url: str, event_types: Sequence[str], actor: Actor
) -> IssuedSecret[WebhookTarget]:
    """Send events to a URL from here on.

    Args:
        event_types: events (`lead.created`), topics (`sales.leads.*`), or `*` for all.

    Raises NotAllowed, InvalidInput, WebhookNameTaken.
    """
    require(actor, MANAGE_WEBHOOK)
    take_turn("webhook targets")
    if WebhookTarget.objects.count() >= MOST_TARGETS:
        raise InvalidInput(f"There are {MOST_TARGETS} targets already.", reason="too_many_targets")
    target = WebhookTarget(name=name, url=url, event_types=sorted(set(event_types)))
    _check(target)
    issued = give_secret(target)
    target.save(force_insert=True)
    WebhookLine.objects.create(target=target)
    _listen()
    publish(
        WebhookTargetAdded(target_id=target.pk, event_types=tuple(target.event_types)), actor=actor
    )
    return issued


@command
def change_webhook_target(
    *,
    target_id: UUID,
    actor: Actor,
    name: str | None = None,
    url: str | None = None,
    event_types: Sequence[str] | None = None,
) -> WebhookTarget:
    """Change what a target is called, where it is and what it hears; what is left out stays.

    Raises NotAllowed, NotFound, InvalidInput, WebhookNameTaken.
    """
    take_turn("webhook targets")
    target = _locked(target_id, actor)
    facts = {
        "name": name,
        "url": url,
        "event_types": None if event_types is None else sorted(set(event_types)),
    }
    changed = [
        key for key, value in facts.items() if value is not None and value != getattr(target, key)
    ]
    if not changed:
        return target
    for key in changed:
        setattr(target, key, facts[key])
    _check(target)
    target.save(update_fields=[*changed, "updated_at"])
    _listen()
    publish(WebhookTargetChanged(target_id=target.pk, changed=tuple(changed)), actor=actor)
    return target


@command
def rotate_webhook_secret(*, target_id: UUID, actor: Actor) -> IssuedSecret[WebhookTarget]:
    """Sign with a fresh secret; for a day the former one signs beside it.

    Raises NotAllowed, NotFound.
    """
    target = _locked(target_id, actor)
    issued, former_until = replace_secret(target, timezone.now())
    target.save()
    publish(WebhookSecretRotated(target_id=target.pk, former_until=former_until), actor=actor)
    return issued


@command
def pause_webhook_target(
    *, target_id: UUID, actor: Actor, because: str = WebhookTarget.Paused.BY_HAND
) -> WebhookTarget:
    """Send nothing to a target for now; what happens waits for it. Twice is fine.

    Raises NotAllowed, NotFound.
    """
    target = _locked(target_id, actor)
    if target.paused_at is not None:
        return target
    target.paused_at, target.paused_because = timezone.now(), because
    target.save(update_fields=["paused_at", "paused_because", "updated_at"])
    publish(WebhookTargetPaused(target_id=target.pk, because=because), actor=actor)
    return target


@command
def resume_webhook_target(*, target_id: UUID, actor: Actor) -> WebhookTarget:
    """Send a target what waited for it, now. Twice is fine. Raises NotAllowed, NotFound."""
    target = _locked(target_id, actor)
    if target.paused_at is None:
        return target
    target.paused_at, target.paused_because = None, ""
    target.save(update_fields=["paused_at", "paused_because", "updated_at"])
    WebhookLine.objects.filter(target=target).update(
        failures=0, failing_since=None, resting_until=None
    )
    target.deliveries.filter(status=WebhookDelivery.Status.WAITING).update(
        next_try_at=timezone.now()
    )
    publish(WebhookTargetResumed(target_id=target.pk), actor=actor)
    return target


@command
def remove_webhook_target(*, target_id: UUID, actor: Actor) -> None:
    """Forget a target, with what waited for it and what was sent. Raises NotAllowed, NotFound."""
    target = _locked(target_id, actor)
    publish(WebhookTargetRemoved(target_id=target.pk), actor=actor)
    target.deliveries.all().delete()
    target.delete()
    _listen()


@command
def send_test_event(*, target_id: UUID, actor: Actor) -> None:
    """Send a target an event that means nothing, the way of all others.

    Raises NotAllowed, NotFound.
    """
    target = _locked(target_id, actor)
    publish(WebhookTargetTested(target_id=target.pk), actor=actor)


def _locked(target_id: UUID, actor: Actor) -> WebhookTarget:
    require(actor, MANAGE_WEBHOOK)
    target = WebhookTarget.objects.select_for_update().filter(pk=target_id).first()
    if target is None:
        raise WebhookNotFound
    return target


def _check(target: WebhookTarget) -> None:
    """Raises InvalidInput, WebhookNameTaken."""
    if not target.name.strip():
        raise InvalidInput.field("name", "Give a name.")
    if trouble := trouble_with_url(target.url, settings.WEBHOOK_LOCAL_HOSTS):
        raise InvalidInput.field("url", trouble)
    if not target.event_types:
        raise InvalidInput.field("event_types", "Give at least one event, a topic or *.")
    if unknown := unknown_patterns(target.event_types):
        raise InvalidInput.field("event_types", f"There is no event {', '.join(unknown)}.")
    if WebhookTarget.objects.exclude(pk=target.pk).filter(name=target.name).exists():
        raise WebhookNameTaken


def _listen() -> None:
    """Hear what the targets want, and tests of them, while there are any."""
    patterns = {
        one for each in WebhookTarget.objects.values_list("event_types", flat=True) for one in each
    }
    tested = {"webhook.tested"} if patterns else set()
    want(names_wanted(patterns) | tested, subscriber=PLANNER)
