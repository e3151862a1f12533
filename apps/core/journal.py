"""The journal: what happened, written with the change, and handed to whoever listens.

`publish` adds rows to the journal inside the transaction of the change, together with one delivery
per subscriber. `deliver` takes batches of deliveries in lanes by aggregate and runs the subscriber
in the same transaction that removes them: an effect in the database happens exactly once, and
events of one aggregate are heard in order.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet

from apps.core.actors import Actor
from apps.core.database import send_along
from apps.core.errors import NotFound, RuleBroken
from apps.core.events import from_payload, kind_of, to_record, to_records
from apps.core.identifiers import made_at
from apps.core.models import BusinessEvent, EventDelivery, EventInterest
from apps.core.partitions import (
    bounds_of,
    check_over,
    detach_month,
    detached_months_of,
    kept_by,
)
from apps.core.poke import poke
from apps.core.retention import Due, Months, Rows, forgets, months_over

log = logging.getLogger(__name__)

LANES = 16
ATTEMPTS = 10
LONGEST_WAIT_SECONDS = 15 * 60
JOURNAL = kept_by(BusinessEvent)
# Ids are made by the application, moments by the database.
CLOCKS_DIFFER_BY = timedelta(days=1)


@dataclass(frozen=True)
class Recorded:
    """An event as the journal keeps it."""

    sequence: int
    event_id: UUID
    name: str
    event: Any
    occurred_at: datetime
    actor_id: UUID
    correlation_id: str


Handler = Callable[[Sequence[Recorded]], None]


class NotNow(Exception):
    """A handler's other side is away: its events wait as they are, and none is to blame."""


@dataclass(frozen=True)
class Subscriber:
    """A handler, the events it hears, and the process in which it does."""

    name: str
    event_names: tuple[str, ...]
    handler: Handler
    batch: int
    process: str

    def hears(self, names: Collection[str] = ()) -> list[str]:
        """The events it listens to; with names, those of them."""
        return [one for one in self.event_names if not names or one in names]


_subscribers: dict[str, Subscriber] = {}
_listeners: dict[str, list[str]] = defaultdict(list)


def on(
    *event_classes: type, batch: int = 200, process: str = "events", when_wanted: bool = False
) -> Callable[[Handler], Handler]:
    """Subscribe a handler to events. It gets up to `batch` of them and must survive a repeat.

    One that waits for others hears in a `process` of its own, so that nobody waits for it. One that
    hears only `when_wanted` hears what `want` names, and costs nothing until then.
    """

    def register(handler: Handler) -> Handler:
        module = handler.__module__.removeprefix("apps.").replace(".handlers", "")
        name = f"{module}.{handler.__name__}"
        names = tuple(kind_of(event_class).name for event_class in event_classes)
        _subscribers[name] = Subscriber(name, names, handler, batch, process)
        for event_name in names:
            if not when_wanted and name not in _listeners[event_name]:
                _listeners[event_name].append(name)
        return handler

    return register


def subscribers() -> tuple[Subscriber, ...]:
    """Everybody who listens, by name."""
    return tuple(_subscribers[name] for name in sorted(_subscribers))


def want(names: Collection[str], *, subscriber: str) -> None:
    """Let a subscriber hear these events from here on, and no others.

    In the transaction of whoever decided it; what is published by then is heard or not.
    """
    held = EventInterest.objects.filter(subscriber=subscriber)
    held.exclude(event_name__in=names).delete()
    EventInterest.objects.bulk_create(
        [EventInterest(event_name=name, subscriber=subscriber) for name in sorted(names)],
        ignore_conflicts=True,
    )


# All events in one JSON document: one parameter for a thousand. Planned at every write, the
# statements in these functions would cost three times as much.
_PUBLISH = "SELECT core_publish(%s::json, %s, %s, %s, %s, %s::text[], %s::text[])"

# The one event that most writes tell costs half as much by itself.
_PUBLISH_ONE = "CALL core_publish_one(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


def publish(*happened: object, actor: Actor) -> None:
    """Write events into the journal, for every subscriber to hear after the commit.

    Args:
        happened: event dataclasses, in the order in which they happened.
        actor: who made them happen; its request id becomes the correlation id.

    Raises:
        RuntimeError: outside a transaction, where an event could survive a change that did not.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("Events are published in the transaction of the change they tell.")
    if not happened:
        return
    origin = (str(actor.id), actor.door, actor.request_id, LANES)
    if len(happened) == 1:
        is_heard = _write_one(happened[0], origin)
    else:
        is_heard = _write_all(happened, origin)
    if is_heard:
        poke.after_commit()


def _write_one(happened: object, origin: Sequence[Any]) -> bool:
    """Whether anybody always listens to it."""
    listeners = _listeners[kind_of(type(happened)).name]
    send_along(_PUBLISH_ONE, (*to_record(happened), *origin, _array(listeners)))
    return bool(listeners)


def _write_all(happened: Sequence[object], origin: Sequence[Any]) -> bool:
    """Whether anybody always listens to any of them."""
    names = {kind_of(event_class).name for event_class in set(map(type, happened))}
    pairs = [(name, who) for name in names for who in _listeners[name]]
    named, listeners = _array(name for name, _ in pairs), _array(who for _, who in pairs)
    send_along(_PUBLISH, (to_records(happened), *origin, named, listeners))
    return bool(pairs)


def _array(names: Iterable[str]) -> str:
    """Names of events or subscribers as PostgreSQL writes an array: they hold no quotes."""
    return f"{{{','.join(names)}}}"


_CLAIM = """
SELECT id, attempts, aggregate_id, event_sequence, occurred_at FROM core_eventdelivery
WHERE subscriber = %s AND lane = %s AND dead_at IS NULL
  AND aggregate_id NOT IN (
      SELECT aggregate_id FROM core_eventdelivery
      WHERE subscriber = %s AND lane = %s AND dead_at IS NULL
        AND attempts > 0 AND available_at > clock_timestamp())
ORDER BY event_sequence
LIMIT %s
"""

# A join would look into every month of the journal: the planner can't know which are meant.
_TOLD = """
SELECT sequence, event_id, name, payload::text, occurred_at, actor_id, correlation_id
FROM core_businessevent WHERE occurred_at BETWEEN %s AND %s AND sequence = ANY(%s)
"""

# One look into the index for each lane, however much waits in it, and in those of others.
_WAITING_LANES = """
SELECT subscriber, lane
FROM unnest(%s::text[]) AS listening(subscriber), generate_series(0, %s) AS lanes(lane),
LATERAL (SELECT FROM core_eventdelivery AS waiting
         WHERE waiting.subscriber = listening.subscriber AND waiting.lane = lanes.lane
           AND dead_at IS NULL AND available_at <= clock_timestamp() LIMIT 1) AS due
ORDER BY 1, 2
"""


@dataclass(frozen=True)
class _Claimed:
    delivery_id: int
    attempts: int
    aggregate_id: UUID
    recorded: Recorded


def hearing_in(process: str) -> list[str]:
    """Who hears in a process, by name."""
    return [one.name for one in subscribers() if one.process == process]


def deliver(process: str = "events") -> int:
    """Run every subscriber of a process that has something to hear, lane by lane.

    Returns how many heard. Raises NotNow.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WAITING_LANES, [hearing_in(process), LANES - 1])
        lanes = cursor.fetchall()
    heard = 0
    for subscriber_name, lane in lanes:
        subscriber = _subscribers[subscriber_name]
        while count := _deliver_lane(subscriber, lane):
            heard += count
            if count < subscriber.batch:
                break
    return heard


def _deliver_lane(subscriber: Subscriber, lane: int) -> int:
    """One batch of one lane, in one transaction; returns how many were heard."""
    with transaction.atomic():
        if not _take_lane(subscriber.name, lane):
            return 0
        claimed = _claim(subscriber, lane)
        if not claimed:
            return 0
        try:
            with transaction.atomic():
                subscriber.handler([one.recorded for one in claimed])
                _forget(claimed)
            return len(claimed)
        except NotNow:
            raise
        except DatabaseError:
            if not connection.is_usable():
                raise
            log.exception("batch of %s failed", subscriber.name)
        except Exception:
            log.exception("batch of %s failed", subscriber.name)
        return _deliver_singly(subscriber, claimed)


def _take_lane(subscriber_name: str, lane: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, %s))", [subscriber_name, lane]
        )
        return bool(cursor.fetchone()[0])


def _claim(subscriber: Subscriber, lane: int) -> list[_Claimed]:
    """The next batch of a lane. What can't be read any more is put off like any failure."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [subscriber.name, lane, subscriber.name, lane, subscriber.batch])
        waiting = cursor.fetchall()
        told = _told(cursor, waiting)
    claimed = []
    unreadable: set[UUID] = set()
    for delivery_id, attempts, aggregate_id, sequence, _ in waiting:
        if aggregate_id in unreadable:
            continue
        try:
            recorded = _recorded(told.get(sequence))
        except Exception as failure:
            log.exception("event %s can't be read", sequence)
            unreadable.add(aggregate_id)
            _put_off(delivery_id, attempts, failure)
            continue
        claimed.append(_Claimed(delivery_id, attempts, aggregate_id, recorded))
    return claimed


def _told(cursor: Any, waiting: Sequence[tuple[Any, ...]]) -> dict[int, tuple[Any, ...]]:
    """The rows of the journal that deliveries are about, by sequence."""
    if not waiting:
        return {}
    moments = [occurred_at for *_, occurred_at in waiting]
    sequences = [sequence for *_, sequence, _ in waiting]
    cursor.execute(_TOLD, [min(moments), max(moments), sequences])
    return {row[0]: row for row in cursor.fetchall()}


def _recorded(row: tuple[Any, ...] | None) -> Recorded:
    if row is None:
        raise LookupError("The journal does not hold the event.")
    sequence, event_id, name, payload, *origin = row
    return Recorded(sequence, event_id, name, from_payload(name, payload), *origin)


def _forget(claimed: Iterable[_Claimed]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM core_eventdelivery WHERE id = ANY(%s)",
            [[one.delivery_id for one in claimed]],
        )


def _deliver_singly(subscriber: Subscriber, claimed: list[_Claimed]) -> int:
    """One event at a time, so that a bad one delays only its own aggregate."""
    heard = 0
    blocked: set[UUID] = set()
    for one in claimed:
        if one.aggregate_id in blocked:
            continue
        try:
            with transaction.atomic():
                subscriber.handler([one.recorded])
                _forget([one])
            heard += 1
        except NotNow:
            raise
        except Exception as failure:
            log.exception("%s failed on event %s", subscriber.name, one.recorded.sequence)
            blocked.add(one.aggregate_id)
            _put_off(one.delivery_id, one.attempts, failure)
    return heard


def _put_off(delivery_id: int, attempts: int, failure: Exception) -> None:
    """Try again later, ever later; after the last attempt keep it as dead."""
    wait = min(2**attempts, LONGEST_WAIT_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE core_eventdelivery
               SET attempts = attempts + 1, error = %s,
                   available_at = clock_timestamp() + make_interval(secs => %s),
                   dead_at = CASE WHEN attempts + 1 >= %s THEN now() END
               WHERE id = %s""",
            [f"{type(failure).__name__}: {failure}"[:2000], wait, ATTEMPTS, delivery_id],
        )


# The oldest delivery of each lane stands first in its index.
_SECONDS_BEHIND = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(available_at)), 0)
FROM generate_series(0, %s) AS lanes(lane),
LATERAL (SELECT available_at FROM core_eventdelivery AS waiting
         WHERE subscriber = %s AND waiting.lane = lanes.lane AND dead_at IS NULL
         ORDER BY event_sequence LIMIT 1) AS oldest
"""


def read_again(told: Collection[tuple[int, datetime]]) -> dict[int, Recorded]:
    """The events of these sequences and moments, by sequence, as far as the journal has them."""
    if not told:
        return {}
    sequences, moments = zip(*told, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_TOLD, [min(moments), max(moments), list(sequences)])
        return {row[0]: _recorded(row) for row in cursor.fetchall()}


def seconds_behind(subscriber: str) -> float:
    """How long what a subscriber should hear next has been waiting for it."""
    with connection.cursor() as cursor:
        cursor.execute(_SECONDS_BEHIND, [LANES - 1, subscriber])
        return max(0.0, float(cursor.fetchone()[0]))


_REPLAY = """
INSERT INTO core_eventdelivery (event_sequence, occurred_at, subscriber, aggregate_id, lane)
SELECT sequence, occurred_at, %s, aggregate_id,
       abs(hashtextextended(aggregate_id::text, 0) %% %s)
FROM core_businessevent WHERE {which}
ON CONFLICT (event_sequence, subscriber)
DO UPDATE SET attempts = 0, dead_at = NULL, error = '', occurred_at = excluded.occurred_at,
              available_at = clock_timestamp()
RETURNING event_sequence
"""


def replay(*, event_sequence: int, subscriber: str) -> None:
    """Let a subscriber hear an event again, now. Raises NotFound."""
    if not _replay("sequence = %s", [event_sequence], _named(subscriber)):
        raise NotFound(f"There is no event {event_sequence}.", reason="event_not_found")


def replay_chosen(sequences: Collection[int], *, subscriber: str) -> set[int]:
    """Let a subscriber hear some events again; returns those that it hears. Raises NotFound."""
    who = _named(subscriber)
    return _replay("sequence = ANY(%s) AND name = ANY(%s)", [list(sequences), who.hears()], who)


def replay_between(
    since: datetime, until: datetime, *, subscriber: str, names: Collection[str] = ()
) -> int:
    """Let a subscriber hear again what happened from one moment until before another.

    With names only these events. Returns how many; months that were detached stay out of it.
    Raises NotFound.
    """
    who = _named(subscriber)
    which = "occurred_at >= %s AND occurred_at < %s AND name = ANY(%s)"
    return len(_replay(which, [since, until, who.hears(names)], who))


def _replay(which: str, parameters: Sequence[Any], subscriber: Subscriber) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(_REPLAY.format(which=which), [subscriber.name, LANES, *parameters])
        found = {sequence for (sequence,) in cursor.fetchall()}
    poke.after_commit()
    return found


def _named(subscriber: str) -> Subscriber:
    if subscriber not in _subscribers:
        raise NotFound(f"Nobody called {subscriber} listens.", reason="subscriber_not_found")
    return _subscribers[subscriber]


def history_of(record_id: UUID) -> QuerySet[BusinessEvent]:
    """What happened to a record, newest first. Nothing did before it had its id."""
    events = BusinessEvent.objects.filter(aggregate_id=record_id).order_by("-sequence")
    made = made_at(record_id)
    return events if made is None else events.filter(occurred_at__gte=made - CLOCKS_DIFFER_BY)


_ERASE_WORDS = """
UPDATE {table} SET payload = jsonb_set(payload, '{{reason}}', '""')
WHERE aggregate_id = ANY(%s) AND payload->>'reason' <> ''
"""


def erase_words_about(record_ids: Collection[UUID]) -> int:
    """Take from the journal what people wrote of some records; returns how many events held any.

    That something happened stays. In the transaction of whoever decided it.
    """
    erased = 0
    apart = [JOURNAL.partition(month) for month in detached_months_of(JOURNAL)]
    with connection.cursor() as cursor:
        for table in (JOURNAL.table, *apart):
            cursor.execute(_ERASE_WORDS.format(table=table), [list(record_ids)])
            erased += cursor.rowcount
    return erased


@forgets("core.journal", "Months of the journal; they are detached, not dropped", days=None)
def old_months(before: datetime) -> Due:
    """Months that are over and of which nobody has anything to hear any more."""
    over = [month for month in months_over(JOURNAL, before) if not _is_waited_for(month)]
    return Months(over, detach_journal_month)


@transaction.atomic
def detach_journal_month(month: date) -> str:
    """Take a month out of the journal; its table stays for whoever archives it.

    Returns the table. Raises NotFound, RuleBroken.
    """
    check_over(JOURNAL, month)
    if _is_waited_for(month):
        raise RuleBroken(
            "Somebody has still to hear events of that month.", reason="month_waited_for"
        )
    return detach_month(JOURNAL, month)


def _is_waited_for(month: date) -> bool:
    first, end = bounds_of(month)
    return EventDelivery.objects.filter(occurred_at__gte=first, occurred_at__lt=end).exists()


@forgets("core.dead_deliveries", "Events that a subscriber could not hear", days=None)
def old_dead_deliveries(before: datetime) -> Due:
    """Deliveries that were given up, and that nobody replayed."""
    return Rows(EventDelivery.objects.filter(dead_at__lt=before))
