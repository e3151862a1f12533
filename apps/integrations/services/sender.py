"""The sender of webhooks: one thread asks the database, and each target has a thread of its own.

Threads that send know neither the database nor each other, so whoever is slow or dead holds up
nobody else, and no transaction is open while a message is under way.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from threading import Event
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from standardwebhooks import Webhook

from apps.core.identifiers import new_id
from apps.core.journal import deliver, read_again
from apps.integrations.metrics import webhooks_sent
from apps.integrations.models import WebhookDelivery, WebhookTarget
from apps.integrations.rules.messages import message_of
from apps.integrations.services.deliveries import (
    GONE,
    HELD_FOR_SECONDS,
    Outcome,
    due_for,
    hold,
    let_go,
    note,
    take_targets,
)
from apps.integrations.services.posting import Poster, Unreachable
from apps.integrations.services.signing import secrets_of
from apps.integrations.services.webhooks import MOST_TARGETS

log = logging.getLogger(__name__)

PROCESS = "webhooks"
# A batch ends by then, so that others are asked about paused and changed targets.
BATCH_SECONDS = 10.0
NOTED_AT_ONCE = 1_000


@dataclass(frozen=True)
class Ready:
    """A delivery with the very bytes that are sent."""

    delivery: WebhookDelivery
    body: bytes


@dataclass(frozen=True)
class Done:
    """A thread has sent what it was given."""

    target_id: UUID


class Sender:
    """Sends what waits for the targets that no other sender holds."""

    def __init__(self) -> None:
        self.id = new_id()
        self._busy: set[UUID] = set()
        self._results: SimpleQueue[Outcome | Done] = SimpleQueue()
        self._threads = ThreadPoolExecutor(MOST_TARGETS, thread_name_prefix="webhook")
        self._stopping = Event()
        self._held_at = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether messages are under way."""
        return bool(self._busy)

    def work(self, patience: float = 0.05) -> int:
        """Plan, send and note what there is; returns how much happened.

        Args:
            patience: seconds to wait for what is under way.
        """
        planned = deliver(PROCESS)
        self._keep_holding()
        begun = sum(map(self._begin, take_targets(self.id, busy=self._busy)))
        noted = self._note_results(patience if self._busy else 0.0)
        return planned + begun + noted

    def stop(self) -> None:
        """Let what is under way end, note it, and leave the rest to others."""
        self._stopping.set()
        self._threads.shutdown()
        while self._note_results(0.0):
            pass
        let_go(self.id)

    def _keep_holding(self) -> None:
        if self._busy and time.monotonic() - self._held_at > HELD_FOR_SECONDS / 3:
            self._held_at = time.monotonic()
            hold(self.id, self._busy)

    def _begin(self, target: WebhookTarget) -> int:
        deliveries = due_for(target.pk)
        told = read_again([(one.event_sequence, one.occurred_at) for one in deliveries])
        ready = [
            Ready(one, message_of(told[one.event_sequence]).body)
            for one in deliveries
            if one.event_sequence in told
        ]
        for one in deliveries:
            if one.event_sequence not in told:
                self._results.put(Outcome(one, timezone.now(), 0, error="The journal has lost it."))
        self._busy.add(target.pk)
        secrets = secrets_of(target, timezone.now())
        self._threads.submit(self._send, target, secrets, ready)
        return len(deliveries)

    def _note_results(self, patience: float) -> int:
        """Write down how things went, in one transaction; returns how much that was."""
        found = []
        try:
            found.append(self._results.get(timeout=patience) if patience else self._next())
            while len(found) < NOTED_AT_ONCE:
                found.append(self._next())
        except Empty:
            pass
        with transaction.atomic():
            note([one for one in found if isinstance(one, Outcome)])
        for one in found:
            if isinstance(one, Done):
                self._busy.discard(one.target_id)
                let_go(self.id, one.target_id)
        return len(found)

    def _next(self) -> Outcome | Done:
        return self._results.get_nowait()

    # --- In a thread of its own, far from the database ------------------------------------------

    def _send(self, target: WebhookTarget, secrets: Sequence[bytes], ready: list[Ready]) -> None:
        """Send a batch in its order, until the target is away."""
        ends_at = time.monotonic() + BATCH_SECONDS
        held_up: set[UUID] = set()
        try:
            with Poster(target.url, local_hosts=settings.WEBHOOK_LOCAL_HOSTS) as poster:
                for one in ready:
                    if self._stopping.is_set() or time.monotonic() > ends_at:
                        break
                    if one.delivery.aggregate_id in held_up:
                        continue
                    outcome = _sent(poster, one, secrets)
                    self._results.put(outcome)
                    webhooks_sent.labels("well" if outcome.went_well else "badly").inc()
                    if outcome.answered == GONE or outcome.is_away:
                        break
                    if not outcome.went_well:
                        held_up.add(one.delivery.aggregate_id)
        except Exception:
            log.exception("sending to %s failed", target.pk)
        finally:
            self._results.put(Done(target.pk))


def _sent(poster: Poster, ready: Ready, secrets: Sequence[bytes]) -> Outcome:
    """Send one message, and tell how it went."""
    now, began = datetime.now(UTC), time.perf_counter()
    headers = headers_of(str(ready.delivery.event_id), now, ready.body, secrets)
    shown = {name: text for name, text in headers.items() if name != "webhook-signature"}
    try:
        answer = poster.post(ready.body, headers)
    except Unreachable as failure:
        return Outcome(ready.delivery, now, _milliseconds(began), shown, error=str(failure))
    return Outcome(
        ready.delivery, now, _milliseconds(began), shown, answer.status, response=answer.text
    )


def headers_of(
    event_id: str, now: datetime, body: bytes, secrets: Sequence[bytes]
) -> dict[str, str]:
    """The headers of Standard Webhooks: a signature for each secret."""
    text = body.decode()
    signatures = [Webhook(one).sign(event_id, now, text) for one in secrets]
    return {
        "content-type": "application/json",
        "user-agent": "salesplatform",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _milliseconds(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)
