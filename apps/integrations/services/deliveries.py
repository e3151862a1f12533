"""Deliveries: planned from the journal, taken by senders, and what became of them."""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Min
from django.utils import timezone

from apps.core.actors import Actor, system_actor
from apps.core.commands import command
from apps.core.errors import InvalidInput
from apps.core.events import kind_named
from apps.core.journal import Recorded
from apps.core.permissions import require
from apps.core.poke import poke
from apps.core.retention import Due, Rows, forgets
from apps.integrations.errors import WebhookNotFound
from apps.integrations.events import WebhookTargetTested
from apps.integrations.models import WebhookDelivery, WebhookLine, WebhookTarget
from apps.integrations.permissions import MANAGE_WEBHOOK
from apps.integrations.rules.deliveries import (
    PAUSED_AFTER,
    names_wanted,
    next_try,
    rest_until,
    unknown_patterns,
    wants,
)
from apps.integrations.services.webhooks import pause_webhook_target

HELD_FOR_SECONDS = 30
BATCH = 200
GONE = 410
LONG_BEHIND = timedelta(minutes=15)
_AWAY = frozenset({408, 429})


@dataclass(frozen=True)
class Outcome:
    """How sending a delivery went."""

    delivery: WebhookDelivery
    tried_at: datetime
    milliseconds: int
    headers: dict[str, str] = field(default_factory=dict)
    answered: int | None = None
    response: str = ""
    error: str = ""

    @property
    def went_well(self) -> bool:
        """Whether the target has the event."""
        return self.answered is not None and 200 <= self.answered < 300

    @property
    def is_away(self) -> bool:
        """Whether the target would take no other event now either."""
        return self.answered is None or self.answered >= 500 or self.answered in _AWAY


# --- Planning -----------------------------------------------------------------------------------


def plan(happened: Sequence[Recorded]) -> None:
    """Note for every target the events that it wants; hearing one twice changes nothing."""
    targets = list(WebhookTarget.objects.only("pk", "event_types"))
    WebhookDelivery.objects.bulk_create(
        [_planned(target, one) for one in happened for target in targets if _is_for(target, one)],
        ignore_conflicts=True,
    )


def _is_for(target: WebhookTarget, recorded: Recorded) -> bool:
    if isinstance(recorded.event, WebhookTargetTested):
        return bool(recorded.event.target_id == target.pk)
    return wants(target.event_types, recorded.name)


def _planned(target: WebhookTarget, recorded: Recorded) -> WebhookDelivery:
    return WebhookDelivery(
        target=target,
        event_sequence=recorded.sequence,
        occurred_at=recorded.occurred_at,
        event_id=recorded.event_id,
        event_name=recorded.name,
        aggregate_id=getattr(recorded.event, kind_named(recorded.name).about),
    )


# --- Taking -------------------------------------------------------------------------------------

# Each target is held by one sender at a time: its events keep their order, and none comes twice.
_TAKE = """
UPDATE integrations_webhookline AS line
SET held_by = %s, held_until = clock_timestamp() + make_interval(secs => %s)
FROM integrations_webhooktarget AS target
WHERE target.id = line.target_id AND target.paused_at IS NULL AND line.target_id <> ALL(%s)
  AND (line.held_until IS NULL OR line.held_until < clock_timestamp() OR line.held_by = %s)
  AND (line.resting_until IS NULL OR line.resting_until < clock_timestamp())
  AND EXISTS (SELECT FROM integrations_webhookdelivery AS waiting
              WHERE waiting.target_id = line.target_id AND waiting.status = 'waiting'
                AND waiting.next_try_at <= clock_timestamp()
                AND NOT EXISTS (
                    SELECT FROM integrations_webhookdelivery AS put_off
                    WHERE put_off.target_id = line.target_id AND put_off.status = 'waiting'
                      AND put_off.aggregate_id = waiting.aggregate_id
                      AND put_off.next_try_at > clock_timestamp()))
RETURNING line.target_id
"""


def take_targets(sender: UUID, *, busy: Collection[UUID]) -> list[WebhookTarget]:
    """The targets that have something to hear and that no other sender holds, held from here on."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [sender, HELD_FOR_SECONDS, list(busy), sender])
        ids = [target_id for (target_id,) in cursor.fetchall()]
    return list(WebhookTarget.objects.filter(pk__in=ids)) if ids else []


def hold(sender: UUID, target_ids: Collection[UUID]) -> None:
    """Keep targets whose messages are under way."""
    held = WebhookLine.objects.filter(held_by=sender, target_id__in=target_ids)
    held.update(held_until=timezone.now() + timedelta(seconds=HELD_FOR_SECONDS))


def let_go(sender: UUID, target_id: UUID | None = None) -> None:
    """Leave a target to other senders, or all that this one holds."""
    held = WebhookLine.objects.filter(held_by=sender)
    if target_id is not None:
        held = held.filter(target_id=target_id)
    held.update(held_by=None, held_until=None)


# An event that was put off holds up the later ones of what it is about.
_DUE = """
SELECT id FROM integrations_webhookdelivery
WHERE target_id = %s AND status = 'waiting' AND next_try_at <= clock_timestamp()
  AND aggregate_id NOT IN (
      SELECT aggregate_id FROM integrations_webhookdelivery
      WHERE target_id = %s AND status = 'waiting' AND next_try_at > clock_timestamp())
ORDER BY event_sequence LIMIT %s
"""


def due_for(target_id: UUID) -> list[WebhookDelivery]:
    """What a target hears next, in the order in which it happened."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [target_id, target_id, BATCH])
        ids = [found for (found,) in cursor.fetchall()]
    return list(WebhookDelivery.objects.filter(pk__in=ids).order_by("event_sequence"))


# --- Noting -------------------------------------------------------------------------------------


_KEEP = """
UPDATE integrations_webhookdelivery AS d
SET attempts = o.attempts, first_tried_at = o.first_tried_at, last_tried_at = o.last_tried_at,
    answered = o.answered, milliseconds = o.milliseconds, headers = o.headers::jsonb,
    response = o.response, error = o.error, status = o.status, next_try_at = o.next_try_at
FROM unnest(%s::uuid[], %s::int[], %s::timestamptz[], %s::timestamptz[], %s::int[], %s::int[],
            %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
    AS o(id, attempts, first_tried_at, last_tried_at, answered, milliseconds,
         headers, response, error, status, next_try_at)
WHERE d.id = o.id
"""


def note(outcomes: Sequence[Outcome]) -> None:
    """Keep how sending went, and leave alone or pause targets that do not take it.

    Args:
        outcomes: in their order; each of another delivery.
    """
    if not outcomes:
        return
    rows = [_noted(one) for one in outcomes]
    with connection.cursor() as cursor:
        # A target that was removed meanwhile has no rows any more.
        cursor.execute(_KEEP, [list(column) for column in zip(*rows, strict=True)])
    _note_on_lines(outcomes)


def _noted(outcome: Outcome) -> tuple[Any, ...]:
    """What is kept of a delivery."""
    one, now = outcome.delivery, outcome.tried_at
    attempts, first_tried_at = one.attempts + 1, one.first_tried_at or now
    status, again = WebhookDelivery.Status.DELIVERED, one.next_try_at
    if not outcome.went_well:
        later = next_try(attempts, first_tried_at=first_tried_at, now=now, chance=random.random())
        status = WebhookDelivery.Status.WAITING if later else WebhookDelivery.Status.DEAD
        again = later or now
    return (
        *(one.pk, attempts, first_tried_at, now, outcome.answered, outcome.milliseconds),
        *(json.dumps(outcome.headers), outcome.response, outcome.error, status.value, again),
    )


def _note_on_lines(outcomes: Sequence[Outcome]) -> None:
    lines = {
        line.target_id: line
        for line in WebhookLine.objects.filter(
            target_id__in={one.delivery.target_id for one in outcomes}
        )
    }
    pauses = {}
    for outcome in outcomes:
        if line := lines.get(outcome.delivery.target_id):
            _note_on_line(line, outcome)
            if outcome.answered == GONE:
                pauses[line.target_id] = WebhookTarget.Paused.GONE
            elif _has_failed_long(line, outcome.tried_at):
                pauses.setdefault(line.target_id, WebhookTarget.Paused.FAILING)
    fields = ["failures", "failing_since", "resting_until", "last_delivered_at"]
    WebhookLine.objects.bulk_update(lines.values(), fields)
    for target_id, because in pauses.items():
        _pause(target_id, because)


def _note_on_line(line: WebhookLine, outcome: Outcome) -> None:
    now = outcome.tried_at
    if outcome.went_well:
        line.failures, line.failing_since, line.resting_until = 0, None, None
        line.last_delivered_at = now
        return
    line.failures += 1
    line.failing_since = line.failing_since or now
    if outcome.is_away:
        line.resting_until = rest_until(line.failures, now=now, chance=random.random())


def _has_failed_long(line: WebhookLine, now: datetime) -> bool:
    return line.failing_since is not None and now - line.failing_since >= PAUSED_AFTER


def _pause(target_id: UUID, because: str) -> None:
    try:
        pause_webhook_target(
            target_id=target_id, because=because, actor=system_actor(door="webhooks")
        )
    except WebhookNotFound:
        return


# --- Sending again ------------------------------------------------------------------------------

_AGAIN: dict[str, Any] = {
    "status": WebhookDelivery.Status.WAITING,
    "attempts": 0,
    "first_tried_at": None,
    "error": "",
}


@command
def send_delivery_again(*, delivery_id: UUID, actor: Actor) -> None:
    """Send one event to its target again, under the same id. Raises NotAllowed, NotFound."""
    require(actor, MANAGE_WEBHOOK)
    rows = WebhookDelivery.objects.filter(pk=delivery_id)
    if not rows.update(**_AGAIN, next_try_at=timezone.now()):
        raise WebhookNotFound("There is no such delivery.", reason="delivery_not_found")
    poke.after_commit()


@command
def replay_to_webhook(
    *,
    target_id: UUID,
    since: datetime,
    actor: Actor,
    until: datetime | None = None,
    event_types: Sequence[str] = (),
) -> int:
    """Send a target again what happened in a span of time, of what it wants or of these events.

    Returns how many events. Months of the journal that were detached stay out of it.

    Raises NotAllowed, NotFound, InvalidInput.
    """
    require(actor, MANAGE_WEBHOOK)
    target = WebhookTarget.objects.filter(pk=target_id).first()
    if target is None:
        raise WebhookNotFound
    end = until or timezone.now()
    if since >= end:
        raise InvalidInput.field("since", "Give a moment before the end.")
    if unknown := unknown_patterns(event_types):
        raise InvalidInput.field("event_types", f"There is no event {', '.join(unknown)}.")
    names = names_wanted(target.event_types)
    if event_types:
        names &= names_wanted(event_types)
    return _plan_again(target, since, end, names)


_PLAN_AGAIN = """
INSERT INTO integrations_webhookdelivery
    (id, created_at, target_id, event_sequence, occurred_at, event_id, event_name, aggregate_id,
     status, attempts, next_try_at, headers, response, error)
SELECT gen_random_uuid(), now(), %s, sequence, occurred_at, event_id, name, aggregate_id,
       'waiting', 0, now(), '{}', '', ''
FROM core_businessevent WHERE occurred_at >= %s AND occurred_at < %s AND name = ANY(%s)
ON CONFLICT (target_id, event_sequence)
DO UPDATE SET status = 'waiting', attempts = 0, first_tried_at = NULL, error = '',
              next_try_at = now()
"""


def _plan_again(
    target: WebhookTarget, since: datetime, until: datetime, names: Collection[str]
) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_PLAN_AGAIN, [target.pk, since, until, list(names)])
        count = int(cursor.rowcount)
    poke.after_commit()
    return count


# --- Signals ------------------------------------------------------------------------------------


def check_webhooks() -> None:
    """Raises TimeoutError when a target is paused for failing, or events have waited too long."""
    failing = WebhookTarget.objects.exclude(paused_because__in=("", WebhookTarget.Paused.BY_HAND))
    waiting = WebhookDelivery.objects.filter(
        status=WebhookDelivery.Status.WAITING, attempts=0, target__paused_at=None
    )
    oldest = waiting.aggregate(Min("next_try_at"))["next_try_at__min"]
    if failing.exists() or (oldest and timezone.now() - oldest > LONG_BEHIND):
        raise TimeoutError


@forgets("integrations.webhook_deliveries", "Events that were sent to webhooks", days=30)
def old_deliveries(before: datetime) -> Due:
    """Deliveries of long ago, whatever became of them."""
    return Rows(WebhookDelivery.objects.filter(created_at__lt=before))
